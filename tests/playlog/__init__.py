"""The SQL of an extension that many tests give a catalogue: what was aired, and what is planned."""
