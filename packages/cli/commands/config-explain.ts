import { Type } from 'typebox'
import { defineCommand, UsageError, type Terminal } from '../command.ts'
import { formatOptionPath, listOptions, type OptionDoc } from '../config/describe-option.ts'
import { isRecord, schemaOf } from '../config/option-schema.ts'
import { ConfigError } from '../config/problem.ts'
import { configSections } from '../config/sections.ts'
import { formatColumns } from '../help.ts'
import { loadSettings, type Settings } from '../load-settings.ts'
import { suggestion } from '../nearest.ts'
import { configOption } from './config-option.ts'

function valueAt(values: unknown, path: readonly string[]): unknown {
  let at = values
  for (const key of path) at = isRecord(at) && Object.hasOwn(at, key) ? at[key] : undefined
  return at
}

function trySettings(terminal: Terminal, file: string | undefined): Settings | undefined {
  try {
    return loadSettings(terminal, file)
  } catch (error) {
    // An option can be explained all the same; what is wrong is said by `config check`.
    if (error instanceof ConfigError) return undefined
    throw error
  }
}

function describeValue(option: OptionDoc, settings: Settings | undefined): [string, string][] {
  if (settings === undefined)
    return [['value', 'unknown: the configuration has mistakes, see `causeway config check`']]
  const value = valueAt(settings.loaded.values, option.path)
  const said = settings.loaded.sourceOf(option.path) ?? 'the default'
  if (value === undefined) return [['value', 'not set']]
  const shown = option.isSecret ? '[secret]' : typeof value === 'string' ? value : JSON.stringify(value)
  return [['value', `${shown} (from ${said})`]]
}

function explain(option: OptionDoc, inner: readonly OptionDoc[], settings: Settings | undefined): string {
  const rows: [string, string][] = [['type', option.kind + (option.isSecret ? ', secret' : '')]]
  if (option.standard !== undefined) rows.push(['default', option.standard])
  if (option.variable !== undefined && !option.isSection) rows.push(['variable', option.variable])
  if (!option.isSection && option.variable !== undefined) rows.push(...describeValue(option, settings))
  const head = `${formatOptionPath(option.path)}\n  ${option.description}\n\n${formatColumns(rows)}`
  if (inner.length === 0) return head
  const list = inner.map((one): [string, string] => [formatOptionPath(one.path), one.description])
  return `${head}\n${formatColumns(list)}`
}

export const command = defineCommand({
  usage: '[key]',
  summary: 'Explain an option: what it does, its value and where that was said',
  input: Type.Object({
    key: Type.Optional(
      Type.String({ description: 'Such as database.path; without it all sections are listed' }),
    ),
    config: configOption,
  }),
  run: async (terminal, { key, config }) => {
    const options = listOptions(schemaOf(configSections))
    if (key === undefined) {
      const top = options.filter((one) => one.path.length === 1)
      terminal.out(formatColumns(top.map((one) => [one.path[0]!, one.description])))
      return 0
    }
    const option = options.find((one) => formatOptionPath(one.path) === key)
    if (option === undefined) {
      const hint = suggestion(
        key,
        options.map((one) => formatOptionPath(one.path)),
      )
      throw new UsageError(`There is no option "${key}".${hint}`)
    }
    const inner = options.filter(
      (one) =>
        one.path.length > option.path.length && option.path.every((part, index) => one.path[index] === part),
    )
    terminal.out(explain(option, inner, trySettings(terminal, config)))
    return 0
  },
})
