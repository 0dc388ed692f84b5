// The gateway over HTTP, and its clock.

const SAMPLE_LIFE_MS = 300_000;
const TRIP_MAX_MS = 200;
const TIMEOUT_MS = 10_000;

let samples = [];

/**
 * The server's time. What a reply says about it can only be too old (cached up to a second, cut to the second in
 * the Date header), so the latest of the recent samples is the best one. Counted on from the browser's monotonic
 * clock: changing the clock of the device changes nothing.
 */
export const clock = {
  now: () => performance.now() + (samples.length ? Math.max(...samples.map((each) => each.offset)) : performance.timeOrigin),
  hear(server_ms, asked, answered) {
    if (!Number.isFinite(server_ms)) return;
    samples = samples.filter((each) => answered - each.at < SAMPLE_LIFE_MS).slice(-60);
    const trip_ms = Math.min(answered - asked, TRIP_MAX_MS);
    samples.push({ at: answered, offset: server_ms + trip_ms / 2 - answered });
  },
};

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
export const sleepUntil = (server_ms) => sleep(server_ms - clock.now());

/** Spreads shoppers who would otherwise all ask in the same moment: 75 % to 125 % of the time. */
export const jitter = (ms) => ms * (0.75 + Math.random() / 2);

/**
 * One request; resolves with `{status, data, retry_after_ms}` for every reply that is JSON.
 * Throws when there was none in time: then nobody knows whether the server acted.
 */
export async function request(path, { method = "GET", token, body, key } = {}) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (key) headers["Idempotency-Key"] = key;
  if (body) headers["Content-Type"] = "application/json";
  const asked = performance.now();
  const reply = await fetch(path, {
    method, headers, body: body && JSON.stringify(body),
    credentials: "omit", redirect: "error", signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const answered = performance.now();
  const data = await reply.json();
  clock.hear(Date.parse(reply.headers.get("Date")), asked, answered);
  for (const each of data.items ?? [data]) clock.hear(Date.parse(each.server_time), asked, answered);
  const retry_s = Number(reply.headers.get("Retry-After"));
  return { status: reply.status, data, retry_after_ms: data.retry_after_ms ?? (retry_s || 1) * 1000 };
}

export const offerPath = (id, rest = "") => `seckill/${encodeURIComponent(id)}${rest}`;
