// A shop links here with the shopper's token in the fragment, which no server sees. It is exchanged for a cookie.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
if (token) {
  history.replaceState(null, "", location.pathname + location.search);
  const form = document.getElementById("sign-in");
  form.elements.token.value = token;
  form.submit();
}
