-- Writes down what each client says, as the server reads it inside TLS: one file for
-- each connection, numbered in the order in which they began.
module:set_global();

local filters = require "util.filters";
local count = 0;

require "lfs".mkdir(prosody.paths.data);

filters.add_filter_hook(function (session)
	if session.type and session.type:match("^c2s") then
		count = count + 1;
		local path = ("%s/said-%04d"):format(prosody.paths.data, count);
		filters.add_filter(session, "bytes/in", function (data)
			local file = assert(io.open(path, "ab"));
			file:write(data);
			file:close();
			return data;
		end, 1000);
	end
end);
