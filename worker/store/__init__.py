"""Redis: connections, keys, Lua scripts, outlets, embedded server, secret."""
