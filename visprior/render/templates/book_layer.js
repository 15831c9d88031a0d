// Typing hides what does not match; the menu orders by channel or by activation.
const book = document.querySelector('.book'), cards = [...book.children];
document.querySelector('#find').oninput = e => {
  const words = e.target.value.toLowerCase();
  for (const card of cards) card.hidden = !card.dataset.name.includes(words);
};
document.querySelector('#order').onchange = e => {
  const by = e.target.value;
  const key = card => by === 'channel' ? Number(card.dataset.i) : -Number(card.dataset.v || '-Infinity');
  book.append(...cards.sort((a, b) => key(a) - key(b)));
};
