// Sets the theme before the page is drawn: the person's choice, or the system's.
document.documentElement.dataset.theme =
  localStorage.getItem("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
document.documentElement.classList.add("loading");  // until console.js can send forms
