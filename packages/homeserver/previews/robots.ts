/** The name by which a robots.txt can mean us. */
const OUR_NAME = 'causeway'
const MAX_RULES = 500

/** One group's rules: whether paths that begin so may be fetched. */
interface Rule {
  readonly allows: boolean
  readonly path: string
}

/** Says which paths of a host may be fetched. */
export type Robots = (path: string) => boolean

export const EVERYTHING: Robots = () => true
export const NOTHING: Robots = () => false

/** Whether a path begins as a rule says, where `*` is anything and a `$` at the end is the end. */
function matches(rule: string, path: string): boolean {
  const isWhole = rule.endsWith('$')
  const parts = (isWhole ? rule.slice(0, -1) : rule).split('*')
  let at = 0
  for (const [index, part] of parts.entries()) {
    if (index === 0) {
      if (!path.startsWith(part)) return false
      at = part.length
    } else if (isWhole && index === parts.length - 1) {
      return path.length - part.length >= at && path.endsWith(part)
    } else {
      const found = path.indexOf(part, at)
      if (found < 0) return false
      at = found + part.length
    }
  }
  return !isWhole || at === path.length
}

/** Rules of the groups for a name; undefined when there is none. */
function rulesFor(lines: readonly (readonly [string, string])[], name: string): Rule[] | undefined {
  let rules: Rule[] | undefined
  let isOurs = false
  let inNames = false
  for (const [key, value] of lines) {
    if (key === 'user-agent') {
      isOurs = (inNames && isOurs) || value.toLowerCase() === name
      inNames = true
      if (isOurs) rules ??= []
    } else if (key === 'allow' || key === 'disallow') {
      inNames = false
      if (isOurs && value !== '') rules?.push({ allows: key === 'allow', path: value })
    }
  }
  return rules?.slice(0, MAX_RULES)
}

/** Reads a robots.txt: the longest rule that fits decides, and of equal ones that which allows. https://www.rfc-editor.org/rfc/rfc9309 */
export function parseRobots(text: string): Robots {
  const lines = text.split(/[\r\n]+/).flatMap((line) => {
    const found = /^\s*([a-z-]+)\s*:\s*([^#]*)/i.exec(line)
    return found === null ? [] : [[found[1]!.toLowerCase(), found[2]!.trim()] as const]
  })
  const rules = rulesFor(lines, OUR_NAME) ?? rulesFor(lines, '*') ?? []
  const byWeight = rules.toSorted(
    (a, b) => b.path.length - a.path.length || Number(b.allows) - Number(a.allows),
  )
  return (path) => byWeight.find((rule) => matches(rule.path, path))?.allows ?? true
}
