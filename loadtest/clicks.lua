--[[
The wrk script of the benchmark: sends prepared requests, one after the other, each as it stands in a file.

wrk ... -- FILE BYTES STOP
  FILE   requests, each exactly BYTES long
  STOP   1: end the run once the file has been sent; 0: begin again, as often as needed

The last line of the output is JSON: counts, microseconds. `rounds` is how often the file was begun.
]]
local ffi = require('ffi')
ffi.cdef [[
int kill(int pid, int signal);
int getpid(void);
]]
local SIGINT = 2

local requests, size, stop

function init(arguments)
  size, stop = tonumber(arguments[2]), arguments[3] == '1'
  requests = assert(io.open(arguments[1], 'rb'))
  rounds = 1
end

-- A click costs one read from the file's buffer and no string work.
function request()
  local bytes = requests:read(size)
  if bytes then
    return bytes
  end
  requests:seek('set', 0)
  rounds = rounds + 1
  if stop and rounds == 2 then
    -- wrk has no way to end after a number of requests; its own answer to Ctrl-C prints the summary.
    ffi.C.kill(ffi.C.getpid(), SIGINT)
  end
  return requests:read(size)
end

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

function done(summary, latency, _)
  local errors = summary.errors
  local begun = 0
  for _, thread in ipairs(threads) do
    begun = math.max(begun, thread:get('rounds'))
  end
  io.write(string.format(
    '{"replies":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"p999_us":%d,"refused":%d,"failed":%d,"rounds":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout, begun))
end
