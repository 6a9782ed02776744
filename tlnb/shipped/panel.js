// What every panel of tlnb shows: a body made in Python, the recipe's fields, what is not written yet, progress.
const tag = (name, props = {}, ...children) => {
  const node = document.createElement(name);
  for (const [k, v] of Object.entries(props)) {
    if (v === null || v === undefined || v === false) continue;
    if (k.startsWith('on')) node.addEventListener(k.slice(2), v);
    else if (k === 'html') node.innerHTML = v;
    else node.setAttribute(k, v === true ? '' : v);
  }
  node.append(...children.filter(o => o !== null && o !== undefined));
  return node;
};

let made = 0;
const fresh = () => `tlnb-${Date.now().toString(36)}-${++made}`;

// Lists are typed as in a CSV line: what holds a comma stands in quotes
const quote = v => (/[",]|^\s|\s$/.test(String(v)) ? `"${String(v).replaceAll('"', '""')}"` : String(v));
const split = text => {
  const found = [], item = /\s*(?:"((?:[^"]|"")*)"\s*(?=,|$)|([^,]*))(,|$)/y;
  for (let more = true; more; ) {
    const [, quoted, plain, end] = item.exec(text);
    found.push(quoted === undefined ? plain.trim() : quoted.replaceAll('""', '"'));
    more = end === ',';
  }
  return found;
};

// A value as the recipe has it, out of what was typed; null: left open
const parse = (field, text) => {
  text = text.trim();
  if (text === '') return null;
  const one = t => (field.words.includes(t) ? t : field.item === 'flag' ? (t === 'true' ? true : t === 'false' ? false : t)
    : field.item === 'number' && !Number.isNaN(Number(t)) ? Number(t) : t);
  return field.many ? split(text).filter(Boolean).map(one) : one(text);
};
const show = v => (v === null || v === undefined ? '' : Array.isArray(v) ? v.map(quote).join(', ') : String(v));

// Ask whoever listens in the notebook (JupyterLab with tlnb's extension); false: nobody does
const ask = (el, type, detail) =>
  !el.dispatchEvent(new CustomEvent(type, { bubbles: true, composed: true, cancelable: true, detail }));

class View {
  constructor(model, el) {
    Object.assign(this, { model, el, waiting: new Map(), name: fresh() });
    el.classList.add('tlnb-panel');
    el.setAttribute('role', 'region');
    el.setAttribute('aria-labelledby', `${this.name}-title`);
    this.title = tag('div', { class: 'tlnb-title', role: 'heading', 'aria-level': '4', id: `${this.name}-title` });
    this.progress = tag('div', { class: 'tlnb-progress', hidden: true });
    this.body = tag('div', { class: 'tlnb-body', onclick: e => this.clicked(e) });
    this.form = tag('form', { class: 'tlnb-form', onsubmit: e => e.preventDefault() });
    this.bar = tag('div', { class: 'tlnb-bar', hidden: true });
    this.status = tag('div', { class: 'tlnb-status', role: 'status', 'aria-live': 'polite' });
    el.replaceChildren(this.title, this.progress, this.body, this.form, this.bar, this.status);
    this.listeners = [];
    this.listen([['html', () => this.showBody()], ['fields', () => this.showForm()], ['pending', () => this.showPending()],
      ['call', () => this.showPending()], ['errors', () => { this.showErrors(); this.showPending(); }], ['progress', () => this.showProgress()], ['title', () => this.showTitle()],
      ['status', () => this.say(model.get('status'))]]);
    this.answered = e => this.answer(e.detail);
    el.addEventListener('tlnb-answer', this.answered);
    this.hush();
    this.showTitle(); this.showBody(); this.showForm(); this.showPending(); this.showProgress(); this.say(model.get('status'));
  }

  // what a trait's change calls, until the panel goes
  listen(more) {
    for (const [k, f] of more) this.model.on(`change:${k}`, f);
    this.listeners.push(...more);
  }

  remove() {
    for (const [k, f] of this.listeners) this.model.off(`change:${k}`, f);
    this.el.removeEventListener('tlnb-answer', this.answered);
  }

  // keys are for what has the focus, not for the notebook; saving stays JupyterLab's
  hush() {
    this.el.addEventListener('focusin', e => { e.target.dataset.lmSuppressShortcuts = 'true'; });
    this.el.addEventListener('keydown', e => {
      if (e.defaultPrevented || !(e.ctrlKey || e.metaKey) || e.key.toLowerCase() !== 's') return;
      this.el.parentElement?.dispatchEvent(new KeyboardEvent('keydown', e));
      e.preventDefault();
    });
  }

  showTitle() { this.title.textContent = this.model.get('title'); }
  say(text) {
    if (this.status.textContent !== text) this.status.textContent = text;
    this.status.classList.toggle('tlnb-heard', text === this.model.get('progress').text);
  }

  // ---- body ----
  showBody() {
    const open = [...this.body.querySelectorAll('details')].map(o => o.open);
    this.body.innerHTML = this.model.get('html');
    this.body.querySelectorAll('details').forEach((o, i) => { if (i in open) o.open = open[i]; });
    for (const o of this.body.querySelectorAll('table[data-sortable]')) this.sortable(o);
    this.showChosen();
  }

  sortable(table) {
    table.querySelectorAll('thead th').forEach((th, i) => {
      if (table.tBodies[0].querySelector(`td:nth-child(${i + 1}) button`)) return; // there is nothing to sort by
      const button = tag('button', { type: 'button', class: 'tlnb-sort', onclick: () => {
        const up = th.getAttribute('aria-sort') !== 'ascending';
        table.querySelectorAll('thead th').forEach(o => o.removeAttribute('aria-sort'));
        th.setAttribute('aria-sort', up ? 'ascending' : 'descending');
        const value = row => row.children[i].dataset.sort ?? row.children[i].textContent.trim();
        const order = (a, b) => (Number.isNaN(Number(a)) || Number.isNaN(Number(b)) ? String(a).localeCompare(String(b)) : Number(a) - Number(b));
        const body = table.tBodies[0];
        body.append(...[...body.rows].sort((a, b) => (up ? 1 : -1) * order(value(a), value(b))));
      } }, ...th.childNodes);
      th.replaceChildren(button);
    });
  }

  clicked(e) {
    const button = e.target.closest('[data-changes]');
    if (!button) return;
    const changes = JSON.parse(button.dataset.changes), pending = this.model.get('pending');
    // two buttons that each add to a list add both
    if ('join' in button.dataset) for (const [k, v] of Object.entries(changes)) if (Array.isArray(v)) changes[k] = [...new Set([...(pending[k] ?? []), ...v])];
    this.change(changes);
  }

  // a button whose change is made already says so
  showChosen() {
    const fields = this.model.get('fields'), open = Object.fromEntries(fields.map(o => [o.key, o.default]));
    const now = { ...Object.fromEntries(fields.map(o => [o.key, o.value])), ...this.model.get('written'), ...this.model.get('pending') };
    for (const o of this.body.querySelectorAll('[data-changes]')) {
      const same = ([k, v]) => {
        const value = now[k] ?? null;
        if ('join' in o.dataset && Array.isArray(v)) return Array.isArray(value) && v.every(x => value.includes(x));
        return JSON.stringify(value) === JSON.stringify(v) || (value === null && show(v) === open[k]);
      };
      o.setAttribute('aria-pressed', String(Object.entries(JSON.parse(o.dataset.changes)).every(same)));
    }
  }

  // ---- fields ----
  showForm() {
    const at = this.form.contains(document.activeElement) ? document.activeElement.id : null;
    const open = this.form.querySelector('details')?.open ?? false;
    const fields = this.model.get('fields'), main = fields.filter(o => o.main), more = fields.filter(o => !o.main);
    const parts = main.map(o => this.field(o));
    if (more.length) {
      const label = main.length ? `More settings (${more.length})` : `Settings (${more.length})`;
      parts.push(tag('details', { class: 'tlnb-more', open }, tag('summary', {}, label), tag('div', { class: 'tlnb-grid' }, ...more.map(o => this.field(o)))));
    }
    this.form.replaceChildren(...(main.length ? [tag('div', { class: 'tlnb-grid' }, ...parts.slice(0, main.length)), ...parts.slice(main.length)] : parts));
    if (at) document.getElementById(at)?.focus();
    this.showErrors();
  }

  field(o) {
    const id = `${this.name}-${o.key.replace('.', '-')}`;
    const value = this.value(o);
    const shared = { id, name: o.key, 'aria-describedby': `${id}-help ${id}-error`, onchange: e => this.change({ [o.key]: parse(o, e.target.value) }) };
    let control;
    if (o.locked) control = tag('input', { ...shared, type: 'text', value: o.locked, readonly: true });
    else if (!o.many && (o.item === 'flag' || (o.words.length && o.item === 'text'))) {
      const words = o.item === 'flag' ? ['true', 'false'] : o.words;
      control = tag('select', shared, ...[['', o.default ? `${o.default} (${o.origin})` : `(${o.origin})`], ...words.map(w => [w, w])]
        .map(([v, text]) => tag('option', { value: v, selected: v === show(value) }, text)));
    } else {
      control = tag('input', { ...shared, type: 'text', value: show(value), placeholder: o.default ? `${o.default} (${o.origin})` : o.origin === 'not set' ? o.origin : `empty (${o.origin})`, spellcheck: 'false',
        autocomplete: 'off', inputmode: o.item === 'number' && !o.words.length && !o.many ? 'decimal' : null, list: o.suggestions.length ? `${id}-list` : null,
        onkeydown: e => { if (e.key === 'Enter') { this.change({ [o.key]: parse(o, e.target.value) }); if (e.ctrlKey || e.metaKey) this.write(); } } });
    }
    const help = o.locked ? `${o.help}. An expression: change it in the recipe cell.` : o.help;
    return tag('div', { class: 'tlnb-field', 'data-key': o.key }, tag('label', { for: id }, o.label), control,
      o.suggestions.length ? tag('datalist', { id: `${id}-list` }, ...o.suggestions.map(v => tag('option', { value: v }))) : null,
      tag('div', { class: 'tlnb-help', id: `${id}-help` }, help), tag('div', { class: 'tlnb-error', id: `${id}-error` }));
  }

  showErrors() {
    const errors = this.model.get('errors');
    for (const o of this.form.querySelectorAll('.tlnb-field')) {
      const text = errors[o.dataset.key] ?? '';
      o.querySelector('.tlnb-error').textContent = text;
      o.querySelector('input, select, textarea').toggleAttribute('aria-invalid', Boolean(text));
    }
  }

  // ---- what is not written yet ----
  set(pending) { this.model.set('pending', pending); this.model.save_changes(); }

  // as the field stands: changed, written, or as the cell was run
  value(o) {
    const pending = this.model.get('pending'), written = this.model.get('written');
    return o.key in pending ? pending[o.key] : o.key in written ? written[o.key] : o.value;
  }

  change(changes) {
    const now = { ...Object.fromEntries(this.model.get('fields').map(o => [o.key, o.value])), ...this.model.get('written') }, pending = { ...this.model.get('pending'), ...changes };
    for (const k of Object.keys(pending)) if (JSON.stringify(pending[k]) === JSON.stringify(now[k] ?? null)) delete pending[k];
    this.set(pending);
  }

  showPending() {
    const pending = this.model.get('pending'), n = Object.keys(pending).length, written = Object.keys(this.model.get('written'));
    this.bar.hidden = !this.model.get('fields').length;
    this.showChosen();
    for (const o of this.model.get('fields')) {
      const control = this.form.querySelector(`[name="${o.key}"]`);
      const value = show(this.value(o));
      if (control && !o.locked && control !== document.activeElement && control.value !== value) control.value = value;
      control?.closest('.tlnb-field').classList.toggle('tlnb-changed', o.key in pending);
    }
    const shown = new Set(this.model.get('fields').map(o => o.key));
    const refused = Object.entries(this.model.get('errors')).filter(([k]) => !shown.has(k)).map(([, text]) => ` ✕ ${text}`).join('');
    const what = n ? `${n} change${n > 1 ? 's' : ''} not written yet: ${Object.keys(pending).join(', ')}${refused}`
      : written.length ? `Written to the recipe cell: ${written.join(', ')}. Run that cell to use it.` : 'The fields are as the recipe cell has them.';
    const write = tag('button', { type: 'button', class: 'tlnb-button tlnb-accept', 'data-do': 'write', 'aria-disabled': n || written.length ? null : 'true', onclick: () => this.write() }, 'Write to notebook');
    const undo = tag('button', { type: 'button', class: 'tlnb-button', 'data-do': 'undo', 'aria-disabled': n ? null : 'true', onclick: () => this.undo() }, 'Undo changes');
    const focus = this.bar.contains(document.activeElement) ? document.activeElement.dataset.do : null;
    this.bar.replaceChildren(tag('div', { class: 'tlnb-actions' }, write, undo, tag('span', { class: 'tlnb-what' }, what)), this.codeBlock());
    if (focus) this.bar.querySelector(`[data-do="${focus}"]`)?.focus();
  }

  // what would be written, to be read and copied
  codeBlock() {
    return tag('details', { class: 'tlnb-code', open: this.bar.querySelector('details')?.open ?? false }, tag('summary', {}, 'As code'),
      tag('pre', { tabindex: '0' }, tag('code', {}, this.model.get('call'))),
      tag('button', { type: 'button', class: 'tlnb-button', onclick: () => this.copy() }, 'Copy'));
  }

  undo() {
    this.set({});
    this.showForm();
    this.say('Changes undone: nothing was written.');
  }

  async copy() {
    const pre = this.bar.querySelector('pre');
    getSelection().selectAllChildren(pre);
    try { await navigator.clipboard.writeText(this.model.get('call')); this.say(this.pasteHint ?? 'Copied: paste it over the call in the recipe cell.'); }
    catch { this.say('Selected: copy it with the keyboard.'); }
  }

  write() {
    const changes = { ...this.model.get('written'), ...this.model.get('pending') };   // what was written may have been taken back in the cell
    if (!Object.keys(changes).length) return this.say('There is nothing to write: no field was changed.');
    const id = fresh();
    this.waiting.set(id, changes);
    if (ask(this.el, 'tlnb-edit', { id, changes })) return;
    this.waiting.delete(id);
    this.bar.querySelector('details').open = true;
    this.say('This notebook cannot be edited from here: copy the call below over the one in the recipe cell.');
  }

  answer({ id, ok, message }) {
    const changes = this.waiting.get(id);
    this.waiting.delete(id);
    this.say(message);
    if (!ok) { this.bar.querySelector('details').open = true; return; }
    if (!changes) return;
    // keep what was typed since
    const pending = { ...this.model.get('pending') };
    for (const [k, v] of Object.entries(changes)) if (JSON.stringify(pending[k]) === JSON.stringify(v)) delete pending[k];
    this.model.set('written', { ...this.model.get('written'), ...changes });
    this.set(pending);
  }

  // ---- progress ----
  // the nodes stay, so that a click on Stop never falls between two of them
  showProgress() {
    const p = this.model.get('progress'), set = (node, name, v) => (v === null ? node.removeAttribute(name) : node.setAttribute(name, v));
    if (!this.meter) {
      this.meter = tag('progress', { max: '1', 'aria-label': this.model.get('title') });
      this.stopper = tag('button', { type: 'button', class: 'tlnb-button', onclick: () => this.stop() });
      this.told = tag('span', { class: 'tlnb-what' });
      this.progress.append(this.meter, this.stopper, this.told);
    }
    this.progress.hidden = !p.running && !p.text;
    this.meter.hidden = this.stopper.hidden = !p.running;
    set(this.meter, 'value', p.fraction === null ? null : String(p.fraction));
    set(this.stopper, 'aria-disabled', p.stopping ? 'true' : null);
    const word = p.stopping ? 'Stopping…' : 'Stop';
    if (this.stopper.textContent !== word) this.stopper.textContent = word;
    if (this.told.textContent !== p.text) this.told.textContent = p.text;
  }

  stop() {
    if (this.model.get('progress').stopping) return;
    ask(this.el, 'tlnb-stop', { id: fresh(), run: this.model.get('progress').run });
    this.model.set('stops', this.model.get('stops') + 1);
    this.model.save_changes();
    this.say('Asked to stop after the batch at hand; the best weights so far are kept.');
  }
}

function render({ model, el }) {
  const view = new View(model, el);
  return () => view.remove();
}
export default { render };
