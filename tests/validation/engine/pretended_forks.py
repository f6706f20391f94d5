"""The process that forks pretended analyses; see `service.jobs.nursery`."""

from __future__ import annotations

import sys

from service.jobs import nursery
from tests.validation.engine.pretended import perform

if __name__ == "__main__":
    vars(nursery)["perform"] = perform
    vars(nursery)["load"] = lambda: None
    nursery.main(sys.argv[1:])
