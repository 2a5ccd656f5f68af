(() => {
  'use strict';
  const root = document.documentElement;
  const search = document.getElementById('search');
  if (!search) return;
  root.classList.add('js');
  const cards = [...document.querySelectorAll('.card')].map(element => ({
    element,
    action: element.dataset.action,
    labels: JSON.parse(element.dataset.labels),
    text: null,
  }));
  const chips = [...document.querySelectorAll('.chip[data-action]')];
  const selects = [...document.querySelectorAll('select[data-label]')];
  const found = document.getElementById('found');
  const nothing = document.getElementById('nothing');
  const sides = document.getElementById('sides');
  let action = '';

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const card of cards) {
      card.text ??= card.element.textContent.toLowerCase();
      const fits = (!action || card.action === action)
        && selects.every(select => !select.value || card.labels[select.dataset.label] === select.value)
        && words.every(word => card.text.includes(word));
      card.element.hidden = !fits;
      shown += fits;
    }
    found.textContent = `${shown.toLocaleString('en')} of ${cards.length.toLocaleString('en')}`;
    nothing.hidden = shown > 0;
  };
  const press = name => {
    action = name;
    for (const chip of chips) chip.setAttribute('aria-pressed', String(chip.dataset.action === name));
    filter();
  };
  const reset = () => {
    search.value = '';
    for (const select of selects) select.value = '';
    press('');
  };
  const toggle = () => sides.setAttribute('aria-pressed', String(root.classList.toggle('sides')));
  const step = by => {
    const shown = cards.map(card => card.element).filter(element => !element.hidden);
    if (!shown.length) return;
    const at = shown.findIndex(element => element.contains(document.activeElement));
    const next = shown[at < 0 ? (by > 0 ? 0 : shown.length - 1) : Math.min(Math.max(at + by, 0), shown.length - 1)];
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: 'nearest' });
  };
  // The keys left and right of a card move its slider, wherever in the card the focus is.
  const slide = by => {
    const cut = document.activeElement?.closest?.('.card')?.querySelector('.cut');
    if (!cut) return false;
    cut.value = Number(cut.value) + by;
    cut.dispatchEvent(new Event('input', { bubbles: true }));
    return true;
  };

  for (const chip of chips) chip.addEventListener('click', () => press(chip.dataset.action));
  for (const select of selects) select.addEventListener('change', filter);
  search.addEventListener('input', filter);
  search.form.addEventListener('submit', event => event.preventDefault());
  sides.addEventListener('click', toggle);
  document.getElementById('reset').addEventListener('click', reset);
  document.getElementById('cards').addEventListener('input', event => {
    if (!event.target.matches('.cut')) return;
    event.target.previousElementSibling.style.setProperty('--cut', `${event.target.value}%`);
  });
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const writes = event.target.matches('input[type=search], select');
    const slider = event.target.matches('.cut');
    if (event.key === 'Escape') { reset(); document.activeElement.blur(); return; }
    if (writes) return;
    const keys = {
      j: () => step(1), k: () => step(-1), '/': () => search.focus(), s: toggle,
      ArrowDown: slider ? null : () => step(1), ArrowUp: slider ? null : () => step(-1),
      ArrowRight: slider ? null : () => slide(5), ArrowLeft: slider ? null : () => slide(-5),
    };
    if (keys[event.key] && keys[event.key]() !== false) event.preventDefault();
  });
  // A page that was gone back to keeps what was filled in.
  filter();
})();
