"""What a model costs on this machine: times, operators, memory, and the threads that suit it best."""
