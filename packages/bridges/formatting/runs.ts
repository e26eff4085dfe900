import type { Inline, MentionTarget } from './tree.ts'

/**
 * Flat form of inline text for networks that mark ranges or switch styles on and off instead of nesting
 * (IRC codes, Telegram entities, Slack rich text): leaves with the set of styles over each.
 */
export interface Run {
  readonly leaf: Leaf
  readonly style: Style
}

export type Leaf = Exclude<Inline, { children: readonly Inline[] }>

/** What applies to a run; an absent key is off. A `spoiler` without a reason is the empty string. */
export interface Style {
  readonly strong?: true
  readonly emph?: true
  readonly underline?: true
  readonly strike?: true
  readonly fg?: string
  readonly bg?: string
  readonly spoiler?: string
  readonly link?: string
}

export const PLAIN: Style = {}

/** Leaves in order with all styles over them; neighboring text of equal style is one run. */
export function flattenInlines(inlines: readonly Inline[]): Run[] {
  const runs: Run[] = []
  flattenInto(runs, inlines, PLAIN)
  return runs
}

function flattenInto(runs: Run[], inlines: readonly Inline[], style: Style): void {
  for (const inline of inlines) {
    if ('children' in inline) flattenInto(runs, inline.children, styleWith(style, inline))
    else pushRun(runs, { leaf: inline, style })
  }
}

function styleWith(style: Style, wrapper: Extract<Inline, { children: readonly Inline[] }>): Style {
  switch (wrapper.type) {
    case 'strong':
    case 'emph':
    case 'underline':
    case 'strike':
      return { ...style, [wrapper.type]: true }
    case 'spoiler':
      return { ...style, spoiler: wrapper.reason ?? '' }
    case 'link':
      return { ...style, link: wrapper.url }
    case 'color':
      return {
        ...style,
        ...(wrapper.fg !== undefined && { fg: wrapper.fg }),
        ...(wrapper.bg !== undefined && { bg: wrapper.bg }),
      }
  }
}

/** Appends a run, joining it with the last one where both are text (or both code) of the same style. */
export function pushRun(runs: Run[], run: Run): void {
  const last = runs.at(-1)
  const joins = last !== undefined && last.leaf.type === run.leaf.type && sameStyle(last.style, run.style)
  if (joins && last.leaf.type === 'text' && run.leaf.type === 'text') {
    runs[runs.length - 1] = { style: run.style, leaf: { type: 'text', text: last.leaf.text + run.leaf.text } }
  } else if (joins && last.leaf.type === 'code' && run.leaf.type === 'code') {
    runs[runs.length - 1] = { style: run.style, leaf: { type: 'code', text: last.leaf.text + run.leaf.text } }
  } else runs.push(run)
}

const STYLE_KEYS = ['link', 'spoiler', 'fg', 'bg', 'strong', 'emph', 'underline', 'strike'] as const

/** Whether two styles look the same. */
export function sameStyle(a: Style, b: Style): boolean {
  return STYLE_KEYS.every((key) => a[key] === b[key])
}

/** How `nestRuns` nests, from the outside in. */
const LAYERS: readonly {
  readonly same: (a: Style, b: Style) => boolean
  readonly wrap: (style: Style, children: Inline[]) => Inline | undefined
}[] = [
  {
    same: (a, b) => a.link === b.link,
    wrap: ({ link }, children) => (link === undefined ? undefined : { type: 'link', url: link, children }),
  },
  {
    same: (a, b) => a.spoiler === b.spoiler,
    wrap: ({ spoiler }, children) => {
      if (spoiler === undefined) return undefined
      return { type: 'spoiler', ...(spoiler !== '' && { reason: spoiler }), children }
    },
  },
  {
    same: (a, b) => a.fg === b.fg && a.bg === b.bg,
    wrap: ({ fg, bg }, children) => {
      if (fg === undefined && bg === undefined) return undefined
      return { type: 'color', ...(fg !== undefined && { fg }), ...(bg !== undefined && { bg }), children }
    },
  },
  ...(['strong', 'emph', 'underline', 'strike'] as const).map((key) => ({
    same: (a: Style, b: Style) => a[key] === b[key],
    wrap: (style: Style, children: Inline[]): Inline | undefined =>
      style[key] ? { type: key, children } : undefined,
  })),
]

/** The nested form of runs, in one fixed order of nesting (links outside, strike inside). */
export function nestRuns(runs: readonly Run[]): Inline[] {
  return nestLayer(runs, 0)
}

function nestLayer(runs: readonly Run[], depth: number): Inline[] {
  const layer = LAYERS[depth]
  if (layer === undefined) return runs.map((run) => run.leaf)
  const out: Inline[] = []
  for (let start = 0; start < runs.length;) {
    const { style } = runs[start] as Run
    let end = start + 1
    while (end < runs.length && layer.same(style, (runs[end] as Run).style)) end++
    const children = nestLayer(runs.slice(start, end), depth + 1)
    const wrapped = layer.wrap(style, children)
    if (wrapped === undefined) for (const child of children) out.push(child)
    else out.push(wrapped)
    start = end
  }
  return out
}

/** What a leaf reads as in plain text. `everyone` reads `@room`, as in Matrix. */
export function leafText(leaf: Leaf): string {
  switch (leaf.type) {
    case 'text':
    case 'code':
    case 'emoji':
      return leaf.text
    case 'mention':
      return mentionText(leaf.target, leaf.label)
    case 'customEmoji':
      return `:${leaf.shortcode}:`
    case 'lineBreak':
      return '\n'
  }
}

function mentionText(target: MentionTarget, label: string): string {
  return target.kind === 'everyone' ? '@room' : label
}
