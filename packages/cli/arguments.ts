import { Errors } from 'typebox/schema'
import { UsageError, type Invocable } from './command.ts'
import type { OptionSchema } from './config/option-schema.ts'
import { suggestion } from './nearest.ts'

/** A word of `usage`: `<required>`, `[optional]`, `<one or more…>`. */
export interface Positional {
  readonly name: string
  readonly required: boolean
  readonly many: boolean
}

export function positionalsOf(usage: string): Positional[] {
  return [...usage.matchAll(/([<[])(\w+)(…?)[>\]]/g)].map(([, bracket, name = '', dots]) => ({
    name,
    required: bracket === '<',
    many: dots !== '',
  }))
}

/** `dryRun` and `dry_run` are given as `--dry-run`. */
export function optionName(property: string): string {
  return property.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll('_', '-')
}

export function propertiesOf(command: Invocable): Readonly<Record<string, OptionSchema>> {
  return (command.input as OptionSchema).properties ?? {}
}

function readValue(schema: OptionSchema, text: string): unknown {
  if (schema.type === 'integer' || schema.type === 'number') {
    return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
  }
  if (schema.type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  return text
}

function put(values: Record<string, unknown>, property: string, schema: OptionSchema, text: string): void {
  if (schema.type !== 'array') {
    if (Object.hasOwn(values, property)) throw new UsageError(`--${optionName(property)} is given twice`)
    values[property] = readValue(schema, text)
    return
  }
  const list = (values[property] ??= []) as unknown[]
  list.push(readValue(schema.items ?? {}, text))
}

interface Split {
  readonly words: string[]
  readonly values: Record<string, unknown>
}

function split(command: Invocable, argv: readonly string[]): Split {
  const properties = propertiesOf(command)
  const byOption = new Map(Object.keys(properties).map((property) => [optionName(property), property]))
  const words: string[] = []
  const values: Record<string, unknown> = {}
  for (let i = 0; i < argv.length; i += 1) {
    const word = argv[i]!
    if (word === '--') {
      words.push(...argv.slice(i + 1))
      break
    }
    if (!word.startsWith('--')) {
      words.push(word)
      continue
    }
    const [name = '', inline] = word.slice(2).split(/=(.*)/s, 2)
    const property = byOption.get(name) ?? byOption.get(name.replace(/^no-/, ''))
    const schema = property === undefined ? undefined : properties[property]
    if (property === undefined || schema === undefined) {
      throw new UsageError(`There is no option --${name}.${suggestion(name, byOption.keys())}`)
    }
    if (schema.type === 'boolean' && inline === undefined) {
      values[property] = byOption.has(name)
      continue
    }
    const text = inline ?? argv[(i += 1)]
    if (text === undefined) throw new UsageError(`--${name} needs a value`)
    put(values, property, schema, text)
  }
  return { words, values }
}

function placeWords(command: Invocable, { words, values }: Split): void {
  const properties = propertiesOf(command)
  const rest = [...words]
  for (const { name, required, many } of positionalsOf(command.usage)) {
    const taken = many ? rest.splice(0) : rest.splice(0, 1)
    // The same property may have been given as an option.
    if (taken.length === 0 && required && values[name] === undefined)
      throw new UsageError(`<${name}> is missing`)
    for (const word of taken) put(values, name, properties[name] ?? {}, word)
  }
  if (rest.length > 0) throw new UsageError(`"${rest[0]}" is one word too many`)
}

function shownName(command: Invocable, path: string): string {
  const property = path.split('/')[1] ?? ''
  return positionalsOf(command.usage).some((one) => one.name === property)
    ? `<${property}>`
    : `--${optionName(property)}`
}

/**
 * Reads what follows the name of a command into its checked input.
 * @throws UsageError with a sentence for the person
 */
export function readArguments(command: Invocable, argv: readonly string[]): Record<string, unknown> {
  const parts = split(command, argv)
  placeWords(command, parts)
  const [fault] = Errors(command.input, parts.values)[1]
  if (fault === undefined) return parts.values
  const names = (fault.params as { requiredProperties?: readonly string[] }).requiredProperties
  if (names !== undefined) throw new UsageError(`${shownName(command, `/${names[0]}`)} is missing`)
  const schema = propertiesOf(command)[fault.instancePath.split('/')[1] ?? '']
  const reason = schema?.enum === undefined ? fault.message : `must be one of ${schema.enum.join(', ')}`
  throw new UsageError(`${shownName(command, fault.instancePath)} ${reason}`)
}
