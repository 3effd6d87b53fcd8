"""What `import rootplex` offers to programs: the commands as functions. `rootplex` loads it by name."""
