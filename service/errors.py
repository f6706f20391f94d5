"""The failure tree: who must do something about it.

CryomarginError
├── Unusable   the input cannot give the answer, now or later: say why, never retry
├── TryAgain   something is missing or down for the moment: retry with backoff
├── Refused    a peer understood and said no: show its status, a person decides
└── Faulty     what we made breaks our own rules: nothing leaves, never retry, it is for us to mend
"""

from __future__ import annotations


class CryomarginError(Exception):
    """A failure with a stable code for machines and a sentence for people.

    The sentence says what is wrong, where, and what to do; it never holds a patient's name, ID or birth date.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code, sentence)
        self.code = code
        self.sentence = sentence

    def __str__(self) -> str:
        return f"{self.sentence} [{self.code}]"


class Unusable(CryomarginError):
    """The input can never give the answer; the study says so and is not tried again."""


class TryAgain(CryomarginError):
    """The input or the peer is not ready; the same call may succeed later."""


class Refused(CryomarginError):
    """A peer answered no; repeating the call without a change is useless.

    `status` is the DICOM status (PS3.7 annex C) or HTTP status that it gave.
    """

    def __init__(self, code: str, sentence: str, status: int) -> None:
        super().__init__(code, sentence)
        self.args = (code, sentence, status)
        self.status = status


class Faulty(CryomarginError):
    """Something that we made breaks a rule of our own; it stays here, and only a new version of the product mends it."""
