-- A new cookie in each request, and a new target if asked: wrk ... -s varying.lua URL -- header|everything.
-- wrk.format for each one would cost more than the proxies do, so a request is put together from its pieces.
local pieces = {}
local number = 0

function init(args)
  wrk.headers["Cookie"] = "session=NUMBER"
  local path = wrk.path
  if args[1] == "everything" then
    path = path:gsub("[^/]*$", "NUMBER")
  end
  local whole = wrk.format("GET", path)
  for piece in (whole .. "NUMBER"):gmatch("(.-)NUMBER") do
    pieces[#pieces + 1] = piece
  end
end

function request()
  number = number + 1
  return table.concat(pieces, tostring(number))
end
