// Runs before the page is drawn: sets the theme (the choice of the person, or of the system), and marks that console.js has not run yet.
document.documentElement.dataset.theme =
  localStorage.getItem("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
document.documentElement.classList.add("loading");  // console.js removes it when it can send forms
