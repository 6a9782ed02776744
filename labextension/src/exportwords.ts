/** What an export can be asked for, in words. */

export const FIELDS = ['name', 'to', 'bump', 'licence', 'reason', 'draft', 'rows', 'without'];
export const BUMPS: Record<string, string> = {
  major: 'who uses it must change something: other inputs, other answers',
  minor: 'a better or newer model, used as before',
  patch: 'the same model, something mended'
};
export const ROWS = [
  { value: 'beside', text: 'Beside the wheel', help: 'in the project only; two of its versions can be compared row by row' },
  { value: 'labels', text: 'In the package', help: 'each row as a hash, none of its values; whoever has two wheels can compare them row by row' },
  { value: 'none', text: 'Nowhere', help: 'which answers change from version to version is not known then' }
];
export const PARTS = [
  { value: 'pictures', text: 'Pictures of the model card', help: 'how the arms compare and what counts in general, as drawings in images/' },
  { value: 'reference', text: 'Statistics of the training data', help: 'shares and quantiles of each column, no row: check() holds later batches against them' }
];
export const USUAL = { licence: 'Apache-2.0', rows: 'beside', without: '' };
export const LICENCES: Record<string, string> = {
  '': 'As pyproject.toml says',
  'LicenseRef-Proprietary': 'Proprietary: all rights reserved'
};
