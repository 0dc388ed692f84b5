// Keeps a group's page as the group is: the server says that something has changed, and the page is read again.

const seats = () => document.getElementById("seats");
const standing = () => document.getElementById("standing");
let seen = seats().dataset.seen;

async function look() {
  const reply = await fetch(seats().dataset.page);
  if (!reply.ok) return;
  const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
  seats().replaceWith(fresh.getElementById("seats"));
  // What somebody is about to do stays under their hands, unless it has become something else.
  if (fresh.getElementById("standing").dataset.standing !== standing().dataset.standing) {
    standing().replaceWith(fresh.getElementById("standing"));
  }
}

if (seen.endsWith("open")) {
  const events = new EventSource(seats().dataset.events);
  events.onmessage = (event) => {
    const now = JSON.parse(event.data);
    if (now.state !== "open") events.close();
    const told = `${now.seats_held} ${now.seats_paid} ${now.state}`;
    if (told === seen) return;
    seen = told;
    look();
  };
  document.addEventListener("over", look);
}

const link = document.getElementById("link");
const copy = document.getElementById("copy");
const share = document.getElementById("share");
if (link && navigator.clipboard) {
  copy.hidden = false;
  copy.onclick = async () => {
    await navigator.clipboard.writeText(link.value);
    copy.textContent = copy.dataset.done;
  };
}
if (link && navigator.share) {
  share.hidden = false;
  const title = share.closest("[data-title]").dataset.title;
  // Who closes the list of ways to share has changed their mind.
  share.onclick = () => navigator.share({ title, url: link.value }).catch(() => {});
}
