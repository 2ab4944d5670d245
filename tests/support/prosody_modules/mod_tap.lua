-- Writes down every byte of the clients' streams as the server sees it: behind
-- Tor and TLS, and so with nothing left of what protects a text but OTR.
module:set_global();

local filters = require "util.filters";
local tap = assert(io.open(prosody.paths.data .. "/tap", "ab"));
tap:setvbuf("no");

local function copy(data)
	tap:write(data);
	return data;
end

filters.add_filter_hook(function (session)
	if session.type and session.type:match("^c2s") then
		filters.add_filter(session, "bytes/in", copy, 1000);
		filters.add_filter(session, "bytes/out", copy, -1000);
	end
end);
