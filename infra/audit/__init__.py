"""Evidence about the record: signed checkpoints, verification, proofs."""
