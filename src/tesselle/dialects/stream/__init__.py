"""stream: resources with lifetimes, asynchronous work on them, command regions."""
