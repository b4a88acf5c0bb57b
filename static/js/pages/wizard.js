// @ts-check
// The wizard: typing into a field that belongs to a card chooses this card.
document.addEventListener("input", (event) => {
  const value = event.target.dataset.chooses;
  const card = value && event.target.form.querySelector(`input[type="radio"][value="${value}"]`);
  if (card && event.target.value) card.checked = true;
});
