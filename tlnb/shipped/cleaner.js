// Suspicious labels, one at a time, decided by key. A decision is shown as made when the kernel says that it is on disk.
const DONE = { keep: ['✓', 'kept'], relabel: ['↻', 'relabelled'], delete: ['✕', 'left out'], skip: ['…', 'skipped'] };
const PATIENCE = 5000;   // milliseconds without an answer
const AHEAD = 10;        // pictures in the strip
// the key of each class: its own where all are digits, so that nobody types 6 for a 6 and means 5
const keysOf = classes => (classes.every(c => /^\d$/.test(c)) ? classes : classes.slice(0, 9).map((_, i) => String(i + 1)));
const sure = o => (o.confidence === null ? '' : `${Math.round(100*o.confidence)} %`);

class Cleaner extends View {
  constructor(model, el) {
    super(model, el);
    this.listen([['items', () => this.draw()], ['decided', () => this.draw()], ['views', () => this.showPicture()], ['told', () => this.answered_by_kernel()], ['summary', () => this.showSummary()]]);
  }

  remove() {
    for (const o of this.open.values()) clearTimeout(o);
    super.remove();
  }

  // ---- nodes: made once, so that the focus stays ----
  build() {
    const m = this.model;
    Object.assign(this, { at: m.get('at'), only: '', sent: 0, open: new Map(), saving: new Map() });
    const button = (text, key, act, title) => tag('button', { type: 'button', class: 'tlnb-button', title: title ?? null, 'aria-keyshortcuts': key, onclick: act },
      tag('kbd', { 'aria-hidden': 'true' }, key.replace('ArrowLeft', '←').replace('ArrowRight', '→').split(' ')[0]), text);
    this.share = tag('progress', { max: '1', value: '0', 'aria-label': 'Decided' });
    this.count = tag('span', { class: 'tlnb-what' });
    this.filter = tag('select', { 'aria-label': 'Show items labelled', onchange: () => this.narrow(this.filter.value) });
    this.top = tag('div', { class: 'tlnb-clean-top', 'data-lm-suppress-shortcuts': 'true' }, this.share, this.count, this.filter);
    this.photo = tag('img', { alt: '', draggable: 'false' });
    this.gone = tag('p', { hidden: true }, 'This picture can no longer be read.');
    this.cells = tag('div', { class: 'tlnb-clean-cells' });
    this.facts = tag('div', { class: 'tlnb-clean-facts' });
    this.labels = tag('div', { class: 'tlnb-clean-labels', role: 'group', 'aria-label': m.get('several') ? 'Switch a label' : 'Relabel as' });
    this.act = tag('div', { class: 'tlnb-clean-acts', role: 'group', 'aria-label': 'Decide' }, button('Keep', 'k', () => this.decide('keep'), 'The label is right'),
      button('Leave out', 'd', () => this.decide('delete'), 'Not used from now on; the file stays'), button('Skip', 's', () => this.decide('skip'), 'Not decided, not asked again'),
      this.undoer = button('Undo', 'u', () => this.takeBack(), 'Take the last decision back'));
    this.moves = tag('div', { class: 'tlnb-clean-acts', role: 'group', 'aria-label': 'Move' }, button('Back', 'ArrowLeft', () => this.move(-1)), button('Next', 'ArrowRight', () => this.move(1)));
    this.strip = tag('div', { class: 'tlnb-clean-strip', role: 'group', 'aria-label': 'Items from here on' });
    this.heard = tag('div', { class: 'tlnb-heard', 'aria-live': 'polite' });
    const legend = `${this.name}-keys`;
    this.stage = tag('div', { class: 'tlnb-clean', role: 'application', tabindex: '0', 'aria-label': 'Suspicious labels, by keys', 'aria-describedby': legend,
      'data-lm-suppress-shortcuts': 'true', onkeydown: e => this.key(e) },
      tag('div', { class: 'tlnb-clean-look' }, this.photo, this.gone, this.cells), tag('div', { class: 'tlnb-clean-say' }, this.facts, this.labels, this.act, this.moves), this.strip);
    this.keys = tag('p', { class: 'tlnb-help tlnb-clean-keys', id: legend }, 'Keys: ', ...this.legend());
    this.summary = tag('p', { class: 'tlnb-clean-summary' });
    this.past = tag('div', { class: 'tlnb-clean-past', 'data-lm-suppress-shortcuts': 'true' });
    this.none = tag('p', { hidden: true });
    this.body.replaceChildren(this.none, this.top, this.stage, this.keys, this.status, this.summary, this.heard, this.past);
    this.drawFilter();
  }

  legend() {
    const keys = keysOf(this.model.get('classes')), relabels = this.model.get('relabels');
    const told = [['k', 'keep'], ...(relabels ? [[`${keys[0]}–${keys.at(-1)}`, this.model.get('several') ? 'switch a label' : 'relabel'], ...(this.model.get('several') ? [] : [['m', 'take what the model says']])] : []),
      ['d', 'leave out'], ['s', 'skip'], ['u', 'undo'], ['← →', 'move']];
    return told.flatMap(([k, text], i) => [i ? ' · ' : '', tag('kbd', {}, k), ` ${text}`]);
  }

  drawFilter() {
    const counts = new Map();
    for (const o of this.model.get('items')) counts.set(o.label, (counts.get(o.label) ?? 0) + 1);
    const short = text => (text.length > 40 ? `${text.slice(0, 39)}…` : text);
    this.filter.replaceChildren(tag('option', { value: '' }, `all labels (${this.model.get('items').length})`),
      ...[...counts].sort((a, b) => b[1] - a[1]).map(([k, n]) => tag('option', { value: k }, `labelled ${short(k)} (${n})`)));
    this.filter.hidden = counts.size < 2;
  }

  // ---- state ----
  showBody() {
    if (!this.stage) this.build();
    this.draw();
  }

  get items() { return this.model.get('items'); }
  get shown() { return this.items.map((_, i) => i).filter(i => !this.only || this.items[i].label === this.only); }
  made() { return new Map(this.model.get('decided').map(([item, choice, label]) => [item, { choice, label }])); }
  undecided(i, made) { return !made.has(this.items[i].id) && !this.saving.has(this.items[i].id); }

  draw() {
    if (!this.stage) return;
    const { items, shown } = this, made = this.made(), empty = !items.length;
    this.none.hidden = !empty;
    this.top.hidden = this.stage.hidden = this.keys.hidden = empty;
    this.none.textContent = this.model.get('nothing');
    this.showSummary();
    this.drawPast();
    if (empty) return;
    const done = items.filter(o => made.has(o.id)).length;
    this.share.value = done/items.length;
    this.count.textContent = `${done} of ${items.length} decided`;
    if (!made.size) this.undoer.setAttribute('aria-disabled', 'true'); else this.undoer.removeAttribute('aria-disabled');
    this.drawItem(items[this.at], made);
    this.drawStrip(shown, made);
  }

  drawItem(o, made) {
    const past = made.get(o.id), wait = this.saving.get(o.id);
    const line = (name, ...what) => tag('div', {}, tag('span', { class: 'tlnb-clean-name' }, name), ...what);
    const bold = text => tag('b', {}, tag('bdi', {}, text));
    const state = wait ? tag('span', { class: 'tlnb-clean-state' }, 'being written …') : past
      ? tag('span', { class: `tlnb-clean-state tlnb-clean-${past.choice}` }, `${DONE[past.choice][0]} ${DONE[past.choice][1]}`, past.label ? ' ' : null, past.label ? tag('bdi', {}, past.label) : null) : null;
    this.facts.replaceChildren(line('label', bold(o.label), state), line(this.model.get('number') ? 'expected' : 'model', bold(o.suggested), o.confidence === null ? null : ` ${sure(o)} sure`),
      tag('div', { class: 'tlnb-help' }, o.why.charAt(0).toUpperCase() + o.why.slice(1)), tag('div', { class: 'tlnb-help' }, `${this.at + 1} of ${this.items.length} · `, tag('bdi', {}, o.id)));
    this.cells.hidden = !o.cells.length;
    this.cells.replaceChildren(...(o.cells.length === 1 ? [tag('p', {}, tag('bdi', {}, o.cells[0][1]))]
      : [tag('table', {}, tag('tbody', {}, ...o.cells.map(([k, v]) => tag('tr', {}, tag('th', { scope: 'row' }, tag('bdi', {}, k)), tag('td', {}, tag('bdi', {}, v))))))]));
    this.drawLabels(o, past);
    this.showPicture();
  }

  names(o, past) {
    const text = past?.choice === 'relabel' ? past.label : o.label;
    return this.model.get('several') ? text.split(this.model.get('separator')).map(t => t.trim()) : [text];
  }

  drawLabels(o, past) {
    this.labels.hidden = !this.model.get('relabels');
    if (this.labels.hidden) return;
    const classes = this.model.get('classes'), now = this.names(o, past), rather = this.model.get('several') ? o.suggested.split(this.model.get('separator')) : [o.suggested];
    if (!this.numbers) {
      const keys = keysOf(classes), more = classes.slice(keys.length);
      this.numbers = keys.map((k, i) => tag('button', { type: 'button', class: 'tlnb-button', 'aria-keyshortcuts': k, onclick: () => this.relabel(classes[i]) },
        tag('kbd', { 'aria-hidden': 'true' }, k), tag('bdi', {}, classes[i])));
      this.labels.append(...this.numbers);
      if (more.length) this.labels.append(tag('select', { 'aria-label': 'Another class', onchange: e => { const v = e.target.value; e.target.value = ''; if (v) this.relabel(v); } },
        tag('option', { value: '' }, 'another …'), ...more.map(name => tag('option', { value: name }, name))));
    }
    this.numbers.forEach((button, i) => {
      button.setAttribute('aria-pressed', String(now.includes(classes[i])));
      button.classList.toggle('tlnb-clean-rather', rather.includes(classes[i]));
      button.title = rather.includes(classes[i]) ? 'what the model says' : '';
    });
  }

  // the next items, from the current one on
  drawStrip(shown, made) {
    const from = Math.max(0, shown.indexOf(this.at));
    const part = shown.slice(Math.max(0, Math.min(from - 1, shown.length - AHEAD)), Math.max(0, Math.min(from - 1, shown.length - AHEAD)) + AHEAD);
    const focus = this.strip.contains(document.activeElement);
    this.strip.replaceChildren(...part.map(i => {
      const o = this.items[i], past = made.get(o.id), words = past ? DONE[past.choice][1] : 'not decided';
      return tag('button', { type: 'button', class: 'tlnb-clean-small', tabindex: '-1', 'aria-current': i === this.at ? 'true' : null, title: `${o.id}: ${words}`,
        'aria-label': `${i + 1}: ${o.label}, rather ${o.suggested}, ${words}`, onclick: () => this.go(i) },
        o.small ? tag('img', { src: o.small, alt: '', draggable: 'false' }) : tag('span', { class: 'tlnb-clean-row' }, o.small === '' ? '?' : String(i + 1)),
        tag('span', {}, tag('bdi', {}, o.label)), past ? tag('i', { class: `tlnb-clean-${past.choice}` }, DONE[past.choice][0]) : null);
    }));
    if (focus) this.stage.focus();
  }

  showPicture() {
    const o = this.items[this.at];
    if (!o) return;
    const src = this.model.get('views')[this.at] ?? o.small;   // the small one until the large one is here
    this.photo.hidden = !src;
    this.gone.hidden = src !== '';
    if (src && this.photo.getAttribute('src') !== src) this.photo.setAttribute('src', src);
    this.photo.alt = `${o.id}, labelled ${o.label}`;
  }

  showSummary() {
    if (!this.stage) return;
    this.summary.textContent = this.model.get('summary');
    this.summary.hidden = !this.model.get('summary');
  }

  drawPast() {
    const all = this.model.get('decided'), open = this.past.querySelector('details')?.open ?? false;
    this.past.hidden = !all.length;
    const focus = this.past.contains(document.activeElement);
    const rows = [...all].reverse().slice(0, 200).map(([item, choice, label]) => tag('li', {}, tag('button', { type: 'button', class: 'tlnb-button', 'aria-label': `Undo: ${item}`, onclick: () => this.takeBack(item) }, 'Undo'),
      tag('span', { class: `tlnb-clean-${choice}` }, ` ${DONE[choice][0]} ${DONE[choice][1]} `), label ? tag('b', {}, tag('bdi', {}, label), ' ') : null, tag('bdi', {}, item)));
    this.past.replaceChildren(tag('details', { open }, tag('summary', {}, `All decisions, the last first (${all.length})`), tag('ul', {}, ...rows),
      all.length > 200 ? tag('p', { class: 'tlnb-help' }, `and ${all.length - 200} earlier ones in the file`) : null));
    if (focus) (this.past.querySelector('li button') ?? this.past.querySelector('summary'))?.focus();
  }

  // ---- moving ----
  describe() {
    const o = this.items[this.at], past = this.made().get(o.id);
    return `${this.at + 1} of ${this.items.length}: labelled ${o.label}, rather ${o.suggested} ${sure(o)}${past ? `, ${DONE[past.choice][1]}` : ''}`;
  }

  go(i, announce = true) {
    this.at = i;
    this.model.set('at', i);
    this.model.save_changes();
    this.draw();
    if (announce) this.heard.textContent = this.describe();
  }

  move(by) {
    const shown = this.shown, next = shown[shown.indexOf(this.at) + by];
    if (next === undefined) this.heard.textContent = by > 0 ? 'This is the last one.' : 'This is the first one.';
    else this.go(next);
  }

  // the next one that nothing is decided about, from here on and then from the beginning
  onward() {
    const shown = this.shown, made = this.made(), from = shown.indexOf(this.at) + 1;
    const next = [...shown.slice(from), ...shown.slice(0, from)].find(i => this.undecided(i, made));
    this.go(next ?? this.at, false);
  }

  narrow(label) {
    this.only = label;
    const shown = this.shown, made = this.made();
    if (!shown.includes(this.at)) this.go(shown.find(i => this.undecided(i, made)) ?? shown[0]);
    else this.draw();
  }

  key(e) {
    if (['SELECT', 'INPUT', 'TEXTAREA'].includes(e.target.tagName)) return;
    const k = e.key.length === 1 ? e.key.toLowerCase() : e.key, command = e.ctrlKey || e.metaKey;
    if (command && k === 's') {   // JupyterLab saves: the event goes on from outside the stage, where shortcuts hold
      this.el.parentElement?.dispatchEvent(new KeyboardEvent('keydown', e));
      return e.preventDefault();
    }
    const classes = this.model.get('classes'), o = this.items[this.at];
    const acts = { k: () => this.decide('keep'), d: () => this.decide('delete'), s: () => this.decide('skip'), u: () => this.takeBack(), m: () => this.relabel(o.suggested), ArrowLeft: () => this.move(-1),
      ArrowRight: () => this.move(1), ArrowUp: () => this.move(-1), ArrowDown: () => this.move(1), Home: () => this.go(this.shown[0]), End: () => this.go(this.shown.at(-1)) };
    let act = command ? (k === 'z' && !e.shiftKey ? acts.u : null) : e.altKey ? null : acts[k];
    const numbered = classes[keysOf(classes).indexOf(k)];
    if (!command && !e.altKey && numbered !== undefined) act = () => this.relabel(numbered);
    if (!act || e.repeat && !k.startsWith('Arrow')) { if (act) e.preventDefault(); return; }
    e.preventDefault();
    act();
  }

  // ---- deciding ----
  ask_kernel(message) {
    const n = ++this.sent;
    if (message.item) this.saving.set(message.item, n);
    const late = () => {
      this.open.delete(n);
      if (this.saving.get(message.item) === n) this.saving.delete(message.item);
      this.say('The kernel does not answer: this decision may not be on disk. Run the cell again to see what is.');
      this.draw();
    };
    this.open.set(n, setTimeout(late, PATIENCE));
    try { this.model.send({ ...message, n }); } catch { clearTimeout(this.open.get(n)); late(); }
  }

  relabel(name) {
    if (!this.model.get('relabels')) return;
    if (!this.model.get('several')) return this.decide('relabel', name);
    const o = this.items[this.at], now = new Set(this.names(o, this.made().get(o.id)));
    now.has(name) ? now.delete(name) : now.add(name);
    this.ask_kernel({ do: 'relabel', item: o.id, label: this.model.get('classes').filter(c => now.has(c)).join(this.model.get('separator')) });
  }

  decide(choice, label = '') {
    this.ask_kernel({ do: choice, item: this.items[this.at].id, label });
    this.onward();
  }

  takeBack(item = '') {
    if (this.model.get('decided').length || this.saving.size) this.ask_kernel({ do: 'undo', item });
    else this.say('There is nothing to undo.');
  }

  answered_by_kernel() {
    const { n, item, ok, undone, text } = this.model.get('told');
    clearTimeout(this.open.get(n));
    this.open.delete(n);
    if (this.saving.get(item) === n || undone) this.saving.delete(item);
    const i = this.items.findIndex(o => o.id === item);
    if (i >= 0 && (undone || !ok)) {
      if (this.only && this.items[i].label !== this.only) this.filter.value = this.only = '';
      this.go(i, false);
    } else this.draw();
    this.say(text);
    if (this.items.length) this.heard.textContent = this.describe();
  }
}

function render({ model, el }) {
  const view = new Cleaner(model, el);
  return () => view.remove();
}
export default { render };
