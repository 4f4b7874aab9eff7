"""Validation: pure functions from what somebody wrote to findings. Nothing here executes, imports or decides."""
