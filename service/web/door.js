// The server's door: shows the key to it, and asks the person for one when the server does.

const STORE = "kindred-key"; // of this tab alone, and gone with it
const dialog = document.getElementById("door");

/** Whether a key is shown: what the browser fetches by itself, such as <img src>, shows none. */
export const shows = () => sessionStorage.getItem(STORE) !== null;

/** Fetches; where the server asks for a key, asks for one and tries again. */
export async function call(url, options = {}) {
  const shown = sessionStorage.getItem(STORE);
  const headers = shown ? { ...options.headers, authorization: `Bearer ${shown}` } : options.headers;
  const response = await fetch(url, { ...options, headers });
  if (response.status !== 401) return response;
  if (shown === sessionStorage.getItem(STORE) && !(await asked(shown))) return response;
  return call(url, options);
}

let asking = null;

/** Asks once, however many requests wait; tells whether there is a key now. `wrong` was no good. */
function asked(wrong) {
  asking ??= new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      asking = null;
      const key = dialog.returnValue === "open" && dialog.querySelector("input").value.trim();
      if (key) sessionStorage.setItem(STORE, key);
      resolve(Boolean(key));
    }, { once: true });
    dialog.returnValue = "";
    dialog.querySelector("input").value = "";
    dialog.querySelector(".wrong").textContent = wrong ? "The server knows no such key, or it was revoked." : "";
    dialog.showModal();
  });
  return asking;
}
