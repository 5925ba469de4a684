"""Texts to measure with, for when none is given: Shakespeare's plays, in the public domain.

valid.txt is to measure with, calibration.txt to make importance matrices. They are those of the bundled model, which was
trained on the second only; its folder says where they come from.
"""

from __future__ import annotations

from pathlib import Path

VALID = Path(__file__).with_name("valid.txt")
CALIBRATION = Path(__file__).with_name("calibration.txt")
