"""What must hold: pre-flight and integrity rules. Each raises, or returns what it found."""
