"""stream: asynchronous work on resources, their lifetimes, the schedule and the arena."""
