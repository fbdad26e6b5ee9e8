"""What users ask for, one module each: every operation is whole or did not happen."""
