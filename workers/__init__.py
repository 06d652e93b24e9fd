"""Execution: dispatcher and backends on the control side, launcher and agent on the nodes."""
