// Who came by a link from another site has the cookie by now, but the browser did not send it with that link.
const answer = await fetch("api/status").catch(() => null);
if (answer?.ok) location.replace("./");
