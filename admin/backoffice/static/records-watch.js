// Brings a progress up to date; when it is at its end, what came of it stands in its place.
const places = [...document.querySelectorAll("[data-records-watch]")].filter((place) => place.dataset.recordsWatch);

async function look(place) {
  const reply = await fetch(place.dataset.recordsWatch);
  const found = await reply.json();
  place.querySelector("progress").value = found.made ?? found.rows_done;
  const going = "state" in found ? found.state === "running" : found.made < found.count;
  if (going) setTimeout(look, 1000, place);
  else if (place.id !== "outcome") location.reload();
  else await tell(place, found.id);
}

// The form below still holds the text of the file, so the page stays.
async function tell(place, id) {
  const part = await (await fetch(`/admin/csv/imports/${id}/outcome`)).text();
  const page = new DOMParser().parseFromString(part, "text/html");
  place.replaceWith(page.getElementById("outcome"));
}

places.forEach((place) => setTimeout(look, 700, place));
