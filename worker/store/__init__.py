"""Redis: connections, keys, outlets, embedded server, secret; the Lua scripts are in `lua/`, the commit among them."""
