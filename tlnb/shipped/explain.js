// Explanations of single items: one of the data, a changed row, a text or a picture of one's own. What is asked goes to the kernel as a message, what is shown comes back as traits.
const WAIT = 5000;   // milliseconds without an answer
const MB = 2**20;

class Explorer extends View {
  constructor(model, el) {
    super(model, el);
    this.pasteHint = 'Copied: paste it into a cell.';
    this.listen([['items', () => this.drawItems()], ['at', () => this.drawItems()], ['cells', () => this.fill()], ['told', () => this.heardBack()]]);
  }

  remove() {
    for (const o of this.open.values()) clearTimeout(o);
    super.remove();
  }

  // ---- nodes: made once, so that the focus stays ----
  build() {
    Object.assign(this, { sent: 0, open: new Map(), fields: new Map(), only: '' });
    this.filter = tag('select', { 'aria-label': 'Items to choose from', onchange: () => { this.only = this.filter.value; this.drawItems(); } });
    this.id = tag('input', { type: 'text', 'aria-label': 'Item by its id', placeholder: 'id of any row', spellcheck: 'false', autocomplete: 'off',
      onkeydown: e => { if (e.key === 'Enter') { e.preventDefault(); this.byId(); } } });
    this.strip = tag('div', { class: 'tlnb-ex-strip', role: 'group', 'aria-label': 'Items to choose from', onkeydown: e => this.walk(e) });
    this.error = tag('div', { class: 'tlnb-error', role: 'alert' });
    this.chooser = tag('div', { class: 'tlnb-ex', 'data-lm-suppress-shortcuts': 'true' },
      tag('div', { class: 'tlnb-ex-row' }, this.filter, tag('span', { class: 'tlnb-ex-pair' }, this.id, this.button('Show', () => this.byId(), 'Show the item with this id'))),
      this.strip, this.own(), this.options(), this.error);
    this.el.insertBefore(this.chooser, this.progress);
    this.drawItems();
    this.fill();
  }

  button(text, act, name) { return tag('button', { type: 'button', class: 'tlnb-button', 'aria-label': name ?? null, onclick: act }, text); }

  options() {
    const said = this.model.get('options'), classes = this.model.get('classes'), id = `${this.name}-option`;
    const choose = (name, label, choices, now) => tag('span', { class: 'tlnb-ex-pair' }, tag('label', { for: `${id}-${name}` }, label),
      this[name] = tag('select', { id: `${id}-${name}`, onchange: () => this.again() }, ...choices.map(([v, text]) => tag('option', { value: v, selected: v === now }, text))));
    this.seconds = tag('input', { type: 'number', id: `${id}-seconds`, min: '1', max: '3600', step: '1', value: String(said.seconds), onchange: () => this.again() });
    return tag('div', { class: 'tlnb-ex-row' },
      classes.length ? choose('explained', 'Explained', [['#1', this.model.get('usual')], ...(classes.length > 2 ? [['#2', 'the two likeliest']] : []), ...classes.map(c => [`=${c}`, c])], said.classes) : null,
      choose('method', 'Method', [['auto', 'SHAP'], ['lime', 'LIME, a second opinion']], said.method),
      tag('span', { class: 'tlnb-ex-pair' }, tag('label', { for: `${id}-seconds` }, 'Seconds at most'), this.seconds));
  }

  // ---- one's own ----
  own() {
    const form = this.model.get('form'), id = `${this.name}-own`;
    const act = (text, ...rest) => tag('div', { class: 'tlnb-ex-row' }, this.button(text, () => this.askOwn()), this.button('Back to the item', () => this.back()), ...rest);
    if (form === 'picture') return this.ownPicture(id);
    if (form === 'text') {
      const box = tag('textarea', { id, rows: '4', dir: 'auto', oninput: () => this.mark(), onkeydown: e => { if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) { e.preventDefault(); this.askOwn(); } } });
      this.fields.set('text', box);
      return tag('details', { class: 'tlnb-ex-own' }, tag('summary', {}, 'Change this text, or paste your own'),
        tag('div', { class: 'tlnb-field' }, tag('label', { for: id }, 'Text'), box), act('Explain this text', tag('span', { class: 'tlnb-help' }, 'or Ctrl+Enter')));
    }
    const grid = tag('div', { class: 'tlnb-grid tlnb-ex-grid' }, ...this.model.get('columns').map((c, i) => {
      const at = `${id}-${i}`, list = c.words.length ? `${at}-list` : null;
      const input = tag('input', { id: at, type: 'text', spellcheck: 'false', autocomplete: 'off', placeholder: '(missing)', list, inputmode: c.number ? 'decimal' : null, 'aria-describedby': c.help ? `${at}-help` : null,
        oninput: () => this.mark(), onchange: () => this.askOwn(), onkeydown: e => { if (e.key === 'Enter') { e.preventDefault(); this.askOwn(); } } });
      this.fields.set(c.name, input);
      return tag('div', { class: 'tlnb-field' }, tag('label', { for: at }, tag('bdi', {}, c.name)), input, list ? tag('datalist', { id: list }, ...c.words.map(v => tag('option', { value: v }))) : null,
        c.help ? tag('div', { class: 'tlnb-help', id: `${at}-help` }, c.help) : null);
    }));
    return tag('details', { class: 'tlnb-ex-own' }, tag('summary', {}, 'What if? Change this row'), grid, act('Explain the changed row'));
  }

  ownPicture(id) {
    const file = tag('input', { type: 'file', id, accept: 'image/*', class: 'tlnb-ex-file', onchange: () => { this.send(file.files[0]); file.value = ''; } });
    const zone = tag('div', { class: 'tlnb-ex-drop', ondragover: e => { e.preventDefault(); zone.classList.add('tlnb-ex-over'); }, ondragleave: () => zone.classList.remove('tlnb-ex-over'),
      ondrop: e => { e.preventDefault(); e.stopPropagation(); zone.classList.remove('tlnb-ex-over'); this.send(e.dataTransfer.files[0]); } },
      tag('label', { for: id }, 'Choose a picture'), file, tag('span', { class: 'tlnb-help' }, 'or drop one here'));
    return tag('details', { class: 'tlnb-ex-own' }, tag('summary', {}, 'A picture of your own'), zone, tag('div', { class: 'tlnb-ex-row' }, this.button('Back to the item', () => this.back())));
  }

  async send(file) {
    if (!file) return;
    const most = this.model.get('largest');
    if (file.size > most) return this.fail(`The file is too large: ${file.name} has ${(file.size/MB).toFixed(0)} MB, at most ${(most/MB).toFixed(0)} go through; name its path in a cell: explain(run, items=…)`);
    this.request({ do: 'own', name: file.name }, [await file.arrayBuffer()]);
  }

  // what stands in the item goes into the fields
  fill() {
    if (!this.fields) return;
    const cells = this.model.get('cells');
    for (const [name, o] of this.fields) o.value = cells[name] ?? '';
    this.mark();
  }

  mark() {
    const cells = this.model.get('cells');
    for (const [name, o] of this.fields) o.closest('.tlnb-field').classList.toggle('tlnb-changed', o.value !== (cells[name] ?? ''));
  }

  askOwn() {
    if (this.model.get('form') === 'picture') return this.request({ do: 'again' });
    this.request({ do: 'own', cells: Object.fromEntries([...this.fields].map(([k, o]) => [k, o.value])) });
  }

  back() {
    this.fill();
    if (this.model.get('at')) this.request({ do: 'show', item: this.model.get('at') });
  }

  // ---- items of the data ----
  drawItems() {
    if (!this.strip) return;
    const items = this.model.get('items'), at = this.model.get('at'), counts = new Map();
    for (const o of items) counts.set(o.why, (counts.get(o.why) ?? 0) + 1);
    if (!counts.has(this.only)) this.only = '';
    this.filter.replaceChildren(...[['', `all that are offered (${items.length})`], ...[...counts].map(([k, n]) => [k, `${k} (${n})`])].map(([v, text]) => tag('option', { value: v, selected: v === this.only }, text)));
    const shown = items.filter(o => !this.only || o.why === this.only), focus = this.strip.contains(document.activeElement);
    const first = shown.some(o => o.id === at) ? at : shown[0]?.id;
    this.strip.replaceChildren(...shown.map(o => this.card(o, o.id === at, o.id === first)));
    if (focus) this.strip.querySelector('[tabindex="0"]')?.focus();
  }

  card(o, now, first) {
    const said = [o.predicted, o.sure].filter(Boolean).join(' '), right = o.right ? '✓' : '✕';
    return tag('button', { type: 'button', class: `tlnb-ex-item${o.small ? ' tlnb-ex-photo' : ''}`, 'aria-pressed': String(now), tabindex: first ? '0' : '-1', 'data-id': o.id, title: `${o.id}: ${o.why}`,
      'aria-label': `${o.id}, ${o.why}: says ${said}, is ${o.label}${o.text ? `. ${o.text}` : ''}`, onclick: () => this.request({ do: 'show', item: o.id }) },
      o.small ? tag('img', { src: o.small, alt: '', draggable: 'false' }) : null,
      o.text ? tag('span', { class: 'tlnb-ex-text' }, tag('bdi', {}, o.text)) : tag('span', { class: 'tlnb-ex-id' }, tag('bdi', {}, o.small ? o.id.split('/').at(-1) : o.id)),
      tag('span', { class: 'tlnb-ex-said' }, tag('bdi', {}, o.predicted), o.sure ? ` ${o.sure}` : null),
      o.right === null ? tag('span', { class: 'tlnb-ex-said' }, `is ${o.label}`) : tag('span', { class: 'tlnb-ex-said' }, `${right} `, tag('bdi', {}, o.right ? 'right' : `is ${o.label}`)));
  }

  walk(e) {
    const all = [...this.strip.children], i = all.indexOf(document.activeElement), to = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: all.length - 1 }[e.key];
    if (to === undefined || i < 0) return;
    e.preventDefault();
    if (!all[to]) return;
    all[i].tabIndex = -1; all[to].tabIndex = 0;
    all[to].focus();
  }

  byId() {
    const id = this.id.value.trim();
    if (id) this.request({ do: 'show', item: id }); else this.fail('Type the id of a row, such as those above.');
  }

  again() { this.request({ do: 'again' }); }

  // ---- asking ----
  request(message, buffers) {
    const n = ++this.sent;
    this.fail('');
    const late = () => { this.open.delete(n); this.fail('The kernel does not answer: it is busy, or gone. Once it is there again, run this cell again.'); };
    this.open.set(n, setTimeout(late, WAIT));
    const options = { method: this.method.value, classes: this.explained?.value ?? '#1', seconds: this.seconds.value };
    try { this.model.send({ ...message, options, n }, undefined, buffers); } catch { clearTimeout(this.open.get(n)); late(); }
  }

  fail(text) { this.error.textContent = text; }

  heardBack() {
    const { n, error } = this.model.get('told');
    clearTimeout(this.open.get(n));
    this.open.delete(n);
    this.fail(error ?? '');
  }

  // ---- what is shared with other panels ----
  showBody() {
    if (!this.chooser) this.build();
    super.showBody();
  }

  showPending() {
    const code = this.model.get('call'), focus = this.bar.contains(document.activeElement) ? document.activeElement.dataset.do : null;
    this.bar.hidden = !code;
    const write = tag('button', { type: 'button', class: 'tlnb-button tlnb-accept', 'data-do': 'write', onclick: () => this.write() }, 'Write to notebook');
    this.bar.replaceChildren(tag('div', { class: 'tlnb-actions' }, write, tag('span', { class: 'tlnb-what' }, 'A cell below that explains what is shown here.')), this.codeBlock());
    if (focus) this.bar.querySelector(`[data-do="${focus}"]`)?.focus();
  }

  write() {
    if (ask(this.el, 'tlnb-insert', { id: fresh(), source: this.model.get('call') })) return;
    this.bar.querySelector('details').open = true;
    this.say('This notebook cannot be edited from here: copy the code below into a cell.');
  }

  stop() {
    if (this.model.get('progress').stopping) return;
    this.model.set('stops', this.model.get('stops') + 1);
    this.model.save_changes();
    this.say('Asked to stop: what is known by then is shown.');
  }
}

function render({ model, el }) {
  const view = new Explorer(model, el);
  return () => view.remove();
}
export default { render };
