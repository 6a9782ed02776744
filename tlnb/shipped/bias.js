// Whom does it fail: one gap at a time, group beside group, down to the rows that make it.
const SIGNS = { pass: ['good', '✓'], fail: ['bad', '✕'], undecided: ['open', '?'] };
const WAIT = 8000;   // milliseconds without an answer
const badge = word => tag('span', { class: `badge ${SIGNS[word][0]}` }, tag('i', { 'aria-hidden': 'true' }, SIGNS[word][1]), word);
const bdi = text => tag('bdi', {}, text);
const percent = (v, digits = 1) => `${(100*v).toFixed(digits)} %`;
// lowest and highest end of an axis, and the ticks between them
const axis = (values, whole) => {
  let lo = Math.min(...values), hi = Math.max(...values);
  const least = whole ? .2 : (Math.abs(hi) || 1)*.1, pad = Math.max((hi - lo)*.08, (least - (hi - lo))/2);
  [lo, hi] = [lo - pad, hi + pad];
  if (whole) [lo, hi] = [Math.max(0, lo), Math.min(1, hi)];
  const step = [1, 2, 5, 10].map(o => o*10**Math.floor(Math.log10((hi - lo)/4))).find(o => (hi - lo)/o <= 6);
  const ticks = [];
  for (let k = Math.ceil(lo/step - 1e-9); k*step <= hi + 1e-9; k++) ticks.push(k*step);
  return { lo, hi, ticks, at: v => `${(100*(Math.min(Math.max(v, lo), hi) - lo)/(hi - lo)).toFixed(2)}%`, step };
};
const SVG = 'http://www.w3.org/2000/svg';
const draw = (name, props = {}, ...children) => {
  const node = document.createElementNS(SVG, name);
  for (const [k, v] of Object.entries(props)) node.setAttribute(k, v);
  node.append(...children);
  return node;
};

class Bias extends View {
  constructor(model, el) {
    super(model, el);
    this.listen([['found', () => this.drawFound()], ['whys', () => this.drawWhys()], ['data', () => this.redraw()]]);
  }

  remove() {
    clearTimeout(this.waits);
    super.remove();
  }

  // ---- what is looked at ----
  get data() { return this.model.get('data'); }
  get at() { return { attribute: 0, gap: 0, threshold: null, ...this.model.get('at') }; }
  get attribute() { return this.data.attributes[this.at.attribute] ?? this.data.attributes[0]; }
  get gap() { return this.attribute.gaps[this.at.gap] ?? this.attribute.gaps[0]; }
  go(change) {
    this.model.set('at', { ...this.at, ...change });
    this.model.save_changes();
  }

  showBody() {
    this.body.replaceChildren(tag('div', { html: this.model.get('top') }));
    if (this.data.attributes?.length) this.build();
    this.rest = tag('div', { html: this.model.get('more') });
    this.body.append(this.rest);
    this.showChosen();
  }

  redraw() {
    this.showBody();
    this.drawFound();
  }

  build() {
    const names = this.data.attributes.map((o, i) => tag('option', { value: String(i), selected: i === this.at.attribute }, o.name));
    this.picker = tag('select', { id: `${this.name}-by`, onchange: e => { this.go({ attribute: Number(e.target.value), gap: 0, threshold: null }); this.drawAll(); this.say(`Groups of ${this.attribute.name}.`); } }, ...names);
    this.gaps = tag('div', { class: 'tlnb-gaps', role: 'radiogroup', 'aria-label': 'Gap that is shown' });
    this.shown = tag('div', { class: 'tlnb-gap' });
    this.drill = tag('div', { class: 'tlnb-drill', hidden: true, role: 'group', 'aria-label': 'Examples' });
    this.body.append(tag('div', { class: 'tlnb-row tlnb-by' }, tag('label', { for: `${this.name}-by` }, 'Groups of'), this.picker), this.gaps, this.shown, this.drill);
    this.drawAll();
  }

  drawAll() {
    this.drawGaps();
    this.drawGap();
    this.drill.hidden = true;
  }

  drawGaps() {
    const number = this.data.number;
    const far = o => (o.value === null || !o.sure ? 'too few rows' : number ? `${(100*o.value).toFixed(0)} % apart` : `${(100*o.value).toFixed(1)} points apart`);
    this.gaps.replaceChildren(...this.attribute.gaps.map((o, i) => tag('label', { class: 'tlnb-pick' },
      tag('input', { type: 'radio', name: `${this.name}-gap`, checked: o === this.gap, onchange: () => { this.go({ gap: i }); this.drawGap(); this.drill.hidden = true; } }),
      tag('span', { class: 'tlnb-pick-text' }, tag('b', {}, o.title), tag('span', { class: 'tlnb-help' }, o.name), tag('span', {}, badge(o.verdict), ' ', far(o), o.decides ? '' : ' · told, does not decide')))));
  }

  // ---- one gap ----
  drawGap() {
    const o = this.gap, swept = this.attribute.thresholds.length && this.attribute.thresholds[0].gaps[o.metric] !== undefined;
    const exact = tag('details', {}, tag('summary', {}, 'Exact definition'), tag('p', {}, tag('code', {}, o.formula)),
      o.fairlearn ? tag('p', {}, 'In fairlearn: ', tag('code', {}, o.fairlearn), '; the values here are checked against it.') : null,
      tag('p', {}, 'Ŷ: what the model says; Y: what is true; A: the group; p: the probability that the model gives. Intervals hold 95 % of the time, for all pairs of groups at once.'));
    this.plots = tag('div', {});
    this.what = tag('div', { class: 'tlnb-whatif' });
    this.shown.replaceChildren(tag('div', { class: 'tlnb-head', role: 'heading', 'aria-level': '5' }, o.title), tag('p', {}, o.question), tag('p', {}, badge(o.verdict), ' ', o.said, ' ', tag('span', { class: 'tlnb-help' }, `Why ${o.verdict}: ${o.reason}.`)),
      exact, this.plots, this.what);
    this.what.hidden = !swept;
    if (swept) this.drawWhat();
    this.drawPlots();
  }

  swept() { return this.attribute.thresholds.find(o => Math.abs(o.threshold - this.at.threshold) < 1e-9); }

  drawPlots() {
    const swept = this.what.hidden ? null : this.swept();
    this.plots.replaceChildren(...this.gap.rates.map(rate => this.plot(rate, swept)));
  }

  // the groups of one rate: name, dot with its interval, figures, a way to the rows
  plot(rate, swept) {
    const a = this.attribute, number = this.data.number, now = rate.values;
    const values = swept ? now.map((o, i) => (o === null || a.swept[i] < 0 ? null : swept.rates[rate.rate][a.swept[i]])) : now;
    const signed = rate.signed, whole = !number && !signed && rate.rate !== 'calibration', all = [...now, ...values].filter(Boolean).flat();
    if (!all.length) return tag('p', {}, 'Nothing to show: no group has a row for it.');
    const x = axis(all, whole), digits = number ? 3 : Math.max(0, -Math.floor(Math.log10(x.step)) - 2);
    const plus = v => `${v > 0 ? '+' : ''}${(100*v).toFixed(1)}`;
    const say = v => (signed ? plus(v) : number ? String(Number(v.toPrecision(4))) : percent(v)), tick = v => (signed ? (100*v).toFixed(0) : number ? String(Number(v.toPrecision(3))) : percent(v, digits));
    const lowest = Math.min(...values.filter((o, i) => o && rate.counts[i]).map(o => o[0]));
    const band = signed ? [x.at(-this.gap.limit), x.at(this.gap.limit)] : whole && Number.isFinite(lowest) ? [x.at(lowest), x.at(lowest + this.gap.limit)] : null;
    const strip = (v, old, few) => tag('div', { class: 'tlnb-strip', 'aria-hidden': 'true' }, ...x.ticks.map(t => tag('i', { class: 'tlnb-tick', style: `left:${x.at(t)}` })),
      band ? tag('i', { class: 'tlnb-band', style: `left:${band[0]};width:calc(${band[1]} - ${band[0]})` }) : null,
      swept && old ? tag('i', { class: 'tlnb-old', style: `left:${x.at(old[0])}` }) : null,
      v ? tag('i', { class: `tlnb-span${few ? ' tlnb-few' : ''}`, style: `left:${x.at(v[1])};width:calc(${x.at(v[2])} - ${x.at(v[1])})` }) : null,
      v ? tag('i', { class: `tlnb-dot${few ? ' tlnb-few' : ''}`, style: `left:${x.at(v[0])}` }) : null);
    const rows = a.groups.map((g, i) => {
      const v = values[i], notes = [g.small ? 'few rows: decides nothing' : '', g.pooled ? 'small groups together' : '', !g.small && !rate.counts[i] ? 'too few rows for this: decides nothing' : '', rate.notes?.[i] ?? ''].filter(Boolean).join(', ');
      return tag('tr', { class: g.small ? 'tlnb-small' : null }, tag('th', { scope: 'row' }, bdi(g.group), tag('span', { class: 'tlnb-help' }, ` n = ${g.n.toLocaleString('en')}${notes ? `; ${notes}` : ''}`)),
        tag('td', { class: 'tlnb-plot' }, strip(v, now[i], !rate.counts[i])), tag('td', { class: 'number' }, v ? say(v[0]) : '–'),
        tag('td', { class: 'number tlnb-help' }, v ? `${say(v[1])} to ${say(v[2])}` : swept && now[i] ? 'in the pool' : 'no row for it'),
        tag('td', {}, signed && !g.n ? '' : tag('button', { type: 'button', class: 'tlnb-button', 'aria-label': `Rows of ${g.group}`, onclick: () => this.ask_rows(g.group) }, 'Rows')));
    });
    const scale = tag('tr', { 'aria-hidden': 'true' }, tag('td', {}), tag('td', { class: 'tlnb-plot' }, tag('div', { class: 'tlnb-scale' }, ...x.ticks.map(t => tag('span', { style: `left:${x.at(t)}` }, tick(t))))), tag('td', {}), tag('td', {}), tag('td', {}));
    const legend = ['● value and its 95 % interval', ...(rate.counts.includes(false) ? ['○ too few rows to decide'] : []), ...(swept ? ['| as it is now'] : []), ...(band ? [signed ? '▨ within the limit' : '▨ within the limit of the lowest group'] : [])].join('   ');
    return tag('div', { class: 'tlnb tlnb-groups' }, tag('div', { class: 'scroll' }, tag('table', {},
      tag('caption', {}, rate.words, swept ? tag('span', { class: 'tlnb-target' }, `if the threshold were ${swept.threshold}`) : null),
      tag('thead', {}, tag('tr', {}, ...[signed ? 'word' : 'group', '', signed ? 'points' : 'value', '95 % interval', ''].map((t, i) => (t ? tag('th', { scope: 'col', class: i > 1 ? 'number' : null }, t) : tag('td', {}))))),
      tag('tbody', {}, ...rows, scale))), tag('p', { class: 'tlnb-help' }, legend));
  }

  // ---- what if ----
  drawWhat() {
    const steps = this.attribute.thresholds, id = `${this.name}-threshold`, now = this.at.threshold ?? .5;
    this.slider = tag('input', { type: 'range', id, min: String(steps[0].threshold), max: String(steps.at(-1).threshold), step: '0.05', value: String(now), oninput: e => this.threshold(Number(e.target.value)) });
    this.back = tag('button', { type: 'button', class: 'tlnb-button', onclick: () => { this.slider.value = '0.5'; this.threshold(null); } }, 'As it is');
    this.words = tag('p', { class: 'tlnb-told' });
    this.trade = tag('figure', { class: 'tlnb-trade' });
    this.what.replaceChildren(tag('details', { open: this.at.threshold !== null }, tag('summary', {}, 'What if the line between yes and no lay elsewhere?'),
      tag('div', { class: 'tlnb-row' }, tag('label', { for: id }, 'Say yes from this probability on'), this.slider, this.back), this.words, this.trade,
      tag('p', { class: 'tlnb-help' }, 'Told on the judged rows and not to be chosen by them: whoever takes what looks best here has no judged rows left. What can be chosen is the mitigation “thresholds”, which uses other rows.')));
    this.tell();
  }

  threshold(value) {
    this.go({ threshold: value });
    this.drawPlots();
    this.tell();
  }

  tell() {
    const steps = this.attribute.thresholds, { metric, limit } = this.gap, half = steps.find(o => Math.abs(o.threshold - .5) < 1e-9), one = this.swept() ?? half, gap = one.gaps[metric];
    const where = gap === null ? 'too few rows to tell the gap' : `gap ${(100*gap[0]).toFixed(1)} points (${(100*gap[1]).toFixed(1)} to ${(100*gap[2]).toFixed(1)}), ${gap[1] > limit ? 'above the limit' : gap[2] < limit ? 'below the limit' : 'on both sides of the limit'}`;
    this.words.textContent = `${this.data.own ? 'One threshold for all, in place of one for each group: ' : ''}${one === half ? 'At one half' : `At ${one.threshold}`}: ${where}; ${percent(one.accuracy)} of all rows answered right${one === half ? '' : ` (at one half ${percent(half.accuracy)})`}.`;
    this.slider.setAttribute('aria-valuetext', this.words.textContent);
    this.drawTrade(steps.filter(o => o.gaps[metric]), one, metric, limit);
  }

  // accuracy over the gap, a dot for each threshold
  drawTrade(steps, one, metric, limit) {
    const W = 460, H = 230, [left, right, top, bottom] = [58, 16, 14, 42], gap = o => o.gaps[metric][0];
    if (steps.length < 2) return this.trade.replaceChildren();
    const x = axis([...steps.map(gap), limit, 0], true), y = axis(steps.map(o => o.accuracy), true);
    const px = v => left + (W - left - right)*(v - x.lo)/(x.hi - x.lo), py = v => H - bottom - (H - top - bottom)*(v - y.lo)/(y.hi - y.lo);
    const text = (t, props) => draw('text', { fill: 'currentColor', 'font-size': 12, ...props }, t);
    const best = steps.reduce((a, b) => (gap(b) < gap(a) ? b : a));
    const label = `Accuracy and gap at ${steps.length} thresholds: the gap is smallest at ${best.threshold}, ${(100*gap(best)).toFixed(1)} points, where ${percent(best.accuracy)} are answered right.`;
    const picture = draw('svg', { viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': label, class: 'tlnb-tradeoff' },
      ...y.ticks.flatMap(t => [draw('line', { x1: left, x2: W - right, y1: py(t), y2: py(t), class: 'tlnb-grid-line' }), text(percent(t, 0), { x: left - 6, y: py(t) + 4, 'text-anchor': 'end' })]),
      ...x.ticks.map(t => text((100*t).toFixed(0), { x: px(t), y: H - bottom + 16, 'text-anchor': 'middle' })),
      draw('line', { x1: px(limit), x2: px(limit), y1: top, y2: H - bottom, class: 'tlnb-limit' }), text('limit', { x: px(limit) + 4, y: top + 10 }),
      draw('polyline', { points: steps.map(o => `${px(gap(o))},${py(o.accuracy)}`).join(' '), class: 'tlnb-path' }),
      ...steps.map(o => draw('circle', { cx: px(gap(o)), cy: py(o.accuracy), r: o === one ? 6 : 3, class: o === one ? 'tlnb-here' : 'tlnb-step' })),
      ...(steps.includes(one) ? [text(String(one.threshold), { x: px(gap(one)) + 9, y: py(one.accuracy) - 7, 'font-weight': 600, class: 'tlnb-halo' })] : []),
      text('gap, in points', { x: (left + W - right)/2, y: H - 6, 'text-anchor': 'middle' }),
      text('answered right', { transform: `translate(13 ${(top + H - bottom)/2}) rotate(-90)`, 'text-anchor': 'middle' }));
    this.trade.replaceChildren(picture, tag('figcaption', { class: 'tlnb-help' }, 'Each dot is a threshold: further left is fairer by this gap, higher is more often right.'));
  }

  // ---- down to the rows ----
  request(message) {
    clearTimeout(this.waits);
    const late = () => this.say('The kernel does not answer: it is busy, or it is not there. Run this cell again to see rows.');
    this.waits = setTimeout(late, WAIT);
    try { this.model.send(message); } catch { clearTimeout(this.waits); late(); }
  }

  ask_rows(group, kind = null, page = 0) {
    const kinds = this.gap.kinds;
    this.wanted = { do: 'rows', attribute: this.attribute.name, group, kind: kind ?? kinds[0][0], outcome: this.gap.outcome, page };
    this.drill.hidden = false;
    this.kinds = kinds;
    this.say('Looking for rows …');
    this.request(this.wanted);
  }

  drawFound() {
    const f = this.model.get('found');
    if (!f.text) return;
    clearTimeout(this.waits);
    this.say(f.text);
    const into = this.drill ?? (this.drill = tag('div', { class: 'tlnb-drill', role: 'group', 'aria-label': 'Examples' }));
    if (!into.isConnected) this.rest.before(into);
    into.hidden = false;
    const had = into.contains(document.activeElement) ? document.activeElement.dataset.do : null, { group, kind, page, pages, per, total } = f;
    const kinds = group && this.kinds ? tag('select', { 'aria-label': `Which rows of ${group}`, 'data-do': 'kind', onchange: e => this.ask_rows(group, e.target.value) },
      ...this.kinds.map(([k, words]) => tag('option', { value: k, selected: k === kind }, words))) : null;
    const turn = (word, to) => tag('button', { type: 'button', class: 'tlnb-button', 'data-do': word, 'aria-disabled': to < 0 || to >= pages ? 'true' : null, onclick: () => { if (to >= 0 && to < pages) this.ask_rows(group, kind, to); } }, word);
    const turns = pages > 1 ? tag('div', { class: 'tlnb-row' }, turn('Back', page - 1), tag('span', { class: 'tlnb-what' }, `${page*per + 1} to ${Math.min((page + 1)*per, f.shown)} of ${f.shown < total ? `the first ${f.shown} of ` : ''}${total}`), turn('Next', page + 1)) : null;
    into.replaceChildren(tag('div', { class: 'tlnb-row' }, tag('div', { class: 'tlnb-head', role: 'heading', 'aria-level': '5', tabindex: '-1' }, 'Rows of ', bdi(group || f.title)), kinds,
      tag('button', { type: 'button', class: 'tlnb-button', onclick: () => { into.hidden = true; this.say('Closed.'); } }, 'Close')), tag('p', {}, f.text),
      tag('ul', { class: 'tlnb-items' }, ...f.items.map(o => this.item(o))), ...(turns ? [turns] : []));
    (had && into.querySelector(`[data-do="${had}"]`) || into.querySelector('[role=heading]')).focus({ preventScroll: Boolean(had) });
    this.drawWhys();
  }

  item(o) {
    const cell = ([k, v]) => tag('div', {}, tag('span', { class: 'tlnb-help' }, bdi(k)), ' ', bdi(v));
    const look = o.picture ? tag('img', { src: o.picture, alt: `${o.id}, labelled ${o.label}` }) : o.picture === '' ? tag('span', {}, 'This picture can no longer be read.')
      : o.cells.length === 1 ? tag('div', { class: 'tlnb-text', dir: 'auto' }, o.cells[0][1])
        : tag('div', {}, tag('div', { class: 'tlnb-cells' }, ...o.cells.slice(0, 12).map(cell)), o.cells.length > 12
          ? tag('details', {}, tag('summary', {}, `${o.cells.length - 12} more columns`), tag('div', { class: 'tlnb-cells' }, ...o.cells.slice(12).map(cell))) : null);
    return tag('li', { class: o.picture === null ? null : 'tlnb-pictured' }, tag('div', { class: 'tlnb-look' }, look),
      tag('div', { class: 'tlnb-said' }, tag('div', {}, tag('b', {}, bdi(o.id)), ' ', tag('span', { class: 'tlnb-help' }, 'true '), bdi(o.label), tag('span', { class: 'tlnb-help' }, ' · told '), bdi(o.predicted), o.sure ? tag('span', { class: 'tlnb-help' }, ` (${o.sure})`) : null),
        tag('button', { type: 'button', class: 'tlnb-button', 'data-why': o.id, 'aria-label': `Why ${o.predicted}? ${o.id}`, onclick: () => this.ask_why(o.id) }, 'Why?')),
      tag('div', { class: 'tlnb-why', 'data-of': o.id }));
  }

  ask_why(id) {
    this.say(`Asking why, for ${id} …`);
    this.request({ do: 'why', item: id });
  }

  drawWhys() {
    if (!this.drill) return;
    const whys = this.model.get('whys');
    for (const node of this.drill.querySelectorAll('.tlnb-why')) {
      const w = whys[node.dataset.of], state = w ? `${w.state} ${w.text}` : '';
      if (node.dataset.state === state) continue;
      const before = node.dataset.state;
      node.dataset.state = state;
      if (!w) { node.replaceChildren(); continue; }
      clearTimeout(this.waits);
      if (w.state === 'running') {
        if (!node.querySelector('progress')) node.replaceChildren(tag('progress', { max: '1', 'aria-label': `Explaining ${node.dataset.of}` }), tag('span', { class: 'tlnb-help' }), tag('button', { type: 'button', class: 'tlnb-button', onclick: () => this.model.send({ do: 'stop' }) }, 'Stop'));
        node.querySelector('span').textContent = w.text;
        if (w.fraction === null) node.querySelector('progress').removeAttribute('value'); else node.querySelector('progress').value = w.fraction;
      } else if (w.state === 'done') node.innerHTML = w.html;
      else node.replaceChildren(tag('p', { class: 'tlnb-error' }, w.text));
      if (w.state !== 'running' && before !== undefined) this.say(w.state === 'done' ? `Explained: ${node.dataset.of}. ${w.text}` : w.text);
      this.drill.querySelector(`[data-why="${CSS.escape(node.dataset.of)}"]`)?.toggleAttribute('hidden', w.state !== 'failed');
    }
  }

  clicked(e) {
    const button = e.target.closest('[data-items]');
    if (!button) return super.clicked(e);
    this.kinds = null;
    this.say('Looking for rows …');
    this.request({ do: 'items', items: JSON.parse(button.dataset.items), title: button.dataset.title });
  }

  // ---- fields that are more than a line ----
  field(o) {
    const id = `${this.name}-${o.key.replace('.', '-')}`, help = [tag('div', { class: 'tlnb-help', id: `${id}-help` }, o.locked ? `${o.help}. An expression: change it in the recipe cell.` : o.help), tag('div', { class: 'tlnb-error', id: `${id}-error` })];
    if (o.key === 'bias.criteria' && !o.locked) return tag('fieldset', { class: 'tlnb-field', 'data-key': o.key, 'aria-describedby': `${id}-help ${id}-error` }, tag('legend', {}, o.label),
      ...o.words.map(w => tag('label', { class: 'tlnb-check' }, tag('input', { type: 'checkbox', value: w, checked: this.criteria(o).includes(w), onchange: () => this.choose(o) }), w.replaceAll('_', ' '))), ...help);
    if (o.key !== 'bias.reason' || o.locked) return super.field(o);
    const area = tag('textarea', { id, name: o.key, rows: '3', 'aria-describedby': `${id}-help ${id}-error`, onchange: e => { if (e.target.value.trim() || this.value(o)) this.change({ [o.key]: e.target.value.trim() || null }); } });
    area.value = show(this.value(o));
    const refuse = () => {
      const blank = !area.value.trim();
      help[1].textContent = blank ? 'A blank reason opens no gate: write why this may ship.' : '';
      area.toggleAttribute('aria-invalid', blank);
      if (blank) { this.say(help[1].textContent); area.focus(); } else { this.change({ [o.key]: area.value.trim() }); this.say('The reason is proposed: write it to the notebook. The report and the card will show it.'); }
    };
    return tag('div', { class: 'tlnb-field tlnb-reason', 'data-key': o.key }, tag('label', { for: id }, o.label), area, tag('button', { type: 'button', class: 'tlnb-button', onclick: refuse }, 'Override with this reason'), ...help);
  }

  criteria(o) { return this.value(o) ?? split(o.default); }

  choose(o) {
    const chosen = [...this.form.querySelectorAll(`[data-key="${o.key}"] input:checked`)].map(b => b.value);
    const same = chosen.join() === split(o.default).filter(w => o.words.includes(w)).join() && o.value === null;
    this.change({ [o.key]: same ? null : chosen });
  }

  showPending() {
    super.showPending();
    const o = this.model.get('fields').find(f => f.key === 'bias.criteria');
    if (!o || o.locked) return;
    const now = this.criteria(o), field = this.form.querySelector('[data-key="bias.criteria"]');
    field?.querySelectorAll('input').forEach(b => { b.checked = now.includes(b.value); });
    field?.classList.toggle('tlnb-changed', 'bias.criteria' in this.model.get('pending'));
  }
}

function render({ model, el }) {
  const view = new Bias(model, el);
  return () => view.remove();
}
export default { render };
