-- A POST of so many bytes: wrk ... -s post.lua URL -- BYTES. The request is made once, so it costs wrk nothing.
function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/octet-stream"
  wrk.body = string.rep("b", tonumber(args[1]))
end
