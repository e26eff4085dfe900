import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { Type } from 'typebox'
import { Errors } from 'typebox/schema'
import { fillDefaults } from './defaults.ts'
import { applyEnvironment, readEnvironment, type EnvironmentOption } from './environment.ts'
import {
  isRecord,
  mapOptions,
  schemaAt,
  schemaOf,
  type ConfigSections,
  type OptionSchema,
} from './option-schema.ts'
import { ConfigError, type ConfigProblem } from './problem.ts'
import { readYaml, type ConfigFile } from './read-yaml.ts'
import { readSecretFiles } from './secret-files.ts'
import { findUnknownKeys } from './unknown-keys.ts'
import { readUnit } from './units.ts'

export interface LoadOptions {
  /** The sections of all packages. */
  readonly sections: ConfigSections
  /** The configuration file; absent: defaults and environment only. */
  readonly file?: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where relative paths of the environment and of `data_dir` begin. */
  readonly folder: string
  /** Checks over several options, run when each option is right by itself. */
  readonly check?: (config: Record<string, unknown>) => readonly Omit<ConfigProblem, 'source'>[]
}

export interface LoadedConfig {
  /** Complete and checked; the type is that of the sections. */
  readonly values: Record<string, unknown>
  /** Where the value at a path was said: `causeway.yaml:12`, a variable, or undefined for a default. */
  sourceOf(path: readonly string[]): string | undefined
}

function readFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'cannot be read'
    throw new ConfigError([{ path: [], source: file, message: `the configuration file ${reason}` }])
  }
}

function startsWith(path: readonly string[], prefix: readonly string[]): boolean {
  return prefix.every((key, index) => path[index] === key)
}

/** Says where options were said: in the environment before the file, since the environment wins. */
function sourceFinder(
  name: string,
  file: ConfigFile | undefined,
  set: readonly EnvironmentOption[],
): (path: readonly string[]) => string | undefined {
  return (path) => {
    const variable = set.findLast((one) => startsWith(path, one.path))
    if (variable !== undefined) return variable.variable
    if (file === undefined || !isSaid(file.values, path)) return undefined
    const line = file.lineOf(path)
    return line === undefined ? name : `${name}:${line}`
  }
}

function isSaid(values: unknown, path: readonly string[]): boolean {
  let at = values
  for (const key of path) {
    if (Array.isArray(at)) at = at[Number(key)]
    else if (isRecord(at) && Object.hasOwn(at, key)) at = at[key]
    else return false
  }
  return true
}

function convertUnits(schema: OptionSchema, values: unknown, problems: ConfigProblem[]): unknown {
  return mapOptions(schema, values, (option, value, path) => {
    const unit = option['x-unit']
    if (unit === undefined || value === undefined) return readAsText(option, value)
    const number = readUnit(unit, value)
    if (number !== undefined) return number
    const form = unit === 'bytes' ? 'a size such as 50M' : 'a duration such as 30s, 5m or 7d'
    problems.push({ path, message: `must be ${form}` })
    return 0
  })
}

/** `default_room_version: 12` and a password of digits are text that YAML takes for numbers. */
function readAsText(option: OptionSchema, value: unknown): unknown {
  const isText = option.type === 'string' || option.enum?.every((one) => typeof one === 'string')
  return isText === true && typeof value === 'number' ? String(value) : value
}

function resolvePaths(schema: OptionSchema, values: unknown, dataDir: string, folder: string): unknown {
  return mapOptions(schema, values, (option, value) => {
    const base = option['x-path']
    if (base === undefined || typeof value !== 'string') return value
    return resolve(base === 'data' ? dataDir : folder, value)
  })
}

function describeFault(schema: OptionSchema | undefined, fallback: string): string {
  if (schema?.enum !== undefined) return `must be one of ${schema.enum.join(', ')}`
  if (schema?.type === 'boolean') return 'must be true or false'
  if (schema?.type === 'array') return 'must be a list'
  return fallback
}

function validate(sections: ConfigSections, schema: OptionSchema, values: unknown): ConfigProblem[] {
  const seen = new Set<string>()
  const problems: ConfigProblem[] = []
  for (const error of Errors(Type.Object({ ...sections }), values)[1]) {
    const path = error.instancePath
      .split('/')
      .slice(1)
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
    const names = (error.params as { requiredProperties?: readonly string[] }).requiredProperties
    const place = names === undefined ? path : [...path, ...names.slice(0, 1)]
    if (seen.has(place.join('/'))) continue
    seen.add(place.join('/'))
    const text = names === undefined ? describeFault(schemaAt(schema, path), error.message) : 'is missing'
    problems.push({ path: place, message: text })
  }
  return problems
}

/** Option values are looked at in this order; a stage that found problems keeps the next from guessing. */
function build(
  options: LoadOptions,
  schema: OptionSchema,
  said: Record<string, unknown>,
): { values: Record<string, unknown>; problems: ConfigProblem[] } {
  const folder = options.file === undefined ? options.folder : dirname(resolve(options.folder, options.file))
  const problems: ConfigProblem[] = [
    ...readSecretFiles(schema, said, folder),
    ...findUnknownKeys(schema, said),
  ]
  if (options.file !== undefined && said['server_name'] === undefined) {
    const message = 'must be set: it is part of every id and can never be changed later'
    problems.push({ path: ['server_name'], message })
  }
  const filled = convertUnits(schema, fillDefaults(schema, said), problems) as Record<string, unknown>
  if (problems.length === 0) problems.push(...validate(options.sections, schema, filled))
  if (problems.length > 0) return { values: filled, problems }
  const dataDir = resolve(options.folder, (filled as { data_dir?: string }).data_dir ?? '.')
  const values = resolvePaths(schema, { ...filled, data_dir: dataDir }, dataDir, folder) as Record<
    string,
    unknown
  >
  return { values, problems: [...(options.check?.(values) ?? [])] }
}

/**
 * Reads the configuration: file, then environment over it, then defaults under it; checks all of it.
 * @throws ConfigError with every problem and where it was said
 */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const schema = schemaOf(options.sections)
  const { file } = options
  const name = file === undefined ? '' : relative(options.folder, resolve(options.folder, file)) || file
  const parsed = file === undefined ? undefined : readYaml(readFile(resolve(options.folder, file)), name)
  const { options: set, problems: misnamed } = readEnvironment(schema, options.environment)
  const said = structuredClone(parsed?.values ?? {})
  applyEnvironment(said, set)
  const sourceOf = sourceFinder(name, parsed, set)
  const { values, problems } = build(options, schema, said)
  const all = [...misnamed, ...problems].map((one) => ({ ...one, source: one.source ?? sourceOf(one.path) }))
  if (all.length > 0) throw new ConfigError(all)
  return { values, sourceOf }
}
