"""Indexes for the questions that are asked of a large index: lists, what is open, what another exam of the patient found."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CHANGED = {
    "study_by_state": ("study", ["state", "last_received_at", "study_instance_uid"]),
    "study_by_arrival": ("study", ["last_received_at", "study_instance_uid"]),
    "delivery_by_state": ("delivery", ["state", "destination"]),
}
NEW = {"study_by_patient": ("study", ["patient_id"]), "association_by_end": ("association", ["closed_at"])}


def upgrade() -> None:
    for name, (table, _) in CHANGED.items():
        op.drop_index(name, table)
    for name, (table, columns) in (CHANGED | NEW).items():
        op.create_index(name, table, columns)
