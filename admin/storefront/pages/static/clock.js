// The server's time, counted on from the browser's monotonic clock: changing the device's clock changes nothing.

let ahead_ms = -Infinity;

/** What a reply says about the time can only be too old, so the latest word is the best one. */
export const clock = {
  now: () => performance.now() + (Number.isFinite(ahead_ms) ? ahead_ms : performance.timeOrigin),
  hear(server_ms, at_ms) {
    if (Number.isFinite(server_ms)) ahead_ms = Math.max(ahead_ms, server_ms - at_ms);
  },
};
