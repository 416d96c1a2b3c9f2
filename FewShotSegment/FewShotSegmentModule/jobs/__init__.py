"""What is running: requests to the engine's worker process, and what becomes of the answers."""
