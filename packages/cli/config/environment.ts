import { parse } from 'yaml'
import { suggestion } from '../nearest.ts'
import { childSchema, isRecord, type OptionSchema } from './option-schema.ts'
import type { ConfigProblem } from './problem.ts'

const PREFIX = 'CAUSEWAY_'
/** Variables of ours that are no options: they say where the configuration is. */
export const OTHER_VARIABLES: readonly string[] = ['CAUSEWAY_CONFIG']

/** `database.path` is set by `CAUSEWAY_DATABASE__PATH`. */
export function variableOf(path: readonly string[]): string {
  return PREFIX + path.map((key) => key.toUpperCase()).join('__')
}

/** An option that a variable of the environment sets. */
export interface EnvironmentOption {
  readonly variable: string
  readonly path: readonly string[]
  readonly value: unknown
}

function secretOf(schema: OptionSchema, key: string): boolean {
  return key.endsWith('_file') && childSchema(schema, key.slice(0, -5))?.['x-secret'] === true
}

function readValue(schema: OptionSchema | undefined, text: string): unknown {
  const isText = schema === undefined || (schema.type === 'string' && schema['x-unit'] === undefined)
  if (isText || (schema.enum !== undefined && schema.enum.includes(text))) return text
  try {
    return parse(text) as unknown
  } catch {
    return text
  }
}

/** Known variable names, for suggestions. */
function listVariables(schema: OptionSchema, path: readonly string[] = []): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, child]) => {
    const own = [...path, key]
    return [variableOf(own), ...listVariables(child, own)]
  })
}

function resolve(schema: OptionSchema, variable: string): readonly string[] | undefined {
  let at: OptionSchema | undefined = schema
  const path: string[] = []
  for (const part of variable.slice(PREFIX.length).split('__')) {
    const key = part.toLowerCase()
    if (at === undefined || key === '') return undefined
    if (secretOf(at, key)) return [...path, key]
    at = childSchema(at, key) ?? (/^\d+$/.test(key) ? at.items : undefined)
    if (at === undefined) return undefined
    path.push(key)
  }
  return path
}

/**
 * Reads the `CAUSEWAY_…` variables. Lists and objects are written as YAML: `CAUSEWAY_LISTENERS=[{port: 8008}]`.
 * One that names no option is a problem: a typing mistake must not be silence.
 */
export function readEnvironment(
  schema: OptionSchema,
  environment: Readonly<Record<string, string | undefined>>,
): { options: EnvironmentOption[]; problems: ConfigProblem[] } {
  const options: EnvironmentOption[] = []
  const problems: ConfigProblem[] = []
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(PREFIX) || text === undefined || OTHER_VARIABLES.includes(variable)) continue
    const path = resolve(schema, variable)
    if (path === undefined) {
      const hint = suggestion(variable, listVariables(schema))
      problems.push({ path: [], source: variable, message: `is no option.${hint}` })
      continue
    }
    let at: OptionSchema | undefined = schema
    for (const key of path) at = at === undefined ? undefined : (childSchema(at, key) ?? at.items)
    options.push({ variable, path, value: readValue(at, text) })
  }
  return { options, problems }
}

/** Puts the values of the environment over those of the file; says for each which it replaced. */
export function applyEnvironment(
  values: Record<string, unknown>,
  options: readonly EnvironmentOption[],
): void {
  for (const { path, value } of options) {
    let at: Record<string, unknown> | unknown[] = values
    for (const key of path.slice(0, -1)) {
      const holder = at as Record<string, unknown>
      const next: unknown = Object.hasOwn(holder, key) ? holder[key] : undefined
      if (!isRecord(next) && !Array.isArray(next)) holder[key] = {}
      at = holder[key] as Record<string, unknown>
    }
    ;(at as Record<string, unknown>)[path.at(-1)!] = value
  }
}
