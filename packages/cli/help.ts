import { optionName, positionalsOf, propertiesOf } from './arguments.ts'
import type { Invocable } from './command.ts'

/** Two columns, the first as wide as its widest word. */
export function formatColumns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('')
}

/** How a command is called and what its words and options mean. */
export function formatCommandHelp(name: string, command: Invocable): string {
  const properties = propertiesOf(command)
  const words = positionalsOf(command.usage)
  const options = Object.keys(properties).filter((key) => !words.some((word) => word.name === key))
  const usage = [name, command.usage, options.length > 0 ? '[options]' : '']
    .filter((part) => part !== '')
    .join(' ')
  const describe = (key: string): string => {
    const { description = '', default: standard, enum: values } = properties[key] ?? {}
    const choices = values === undefined ? '' : ` (${values.join(', ')})`
    return description + choices + (standard === undefined ? '' : ` [default: ${JSON.stringify(standard)}]`)
  }
  let out = `${command.summary}\n\nUsage: causeway ${usage}\n`
  if (words.length > 0) out += `\n${formatColumns(words.map(({ name: key }) => [`<${key}>`, describe(key)]))}`
  const rows = options.map((key): [string, string] => {
    const takesValue = properties[key]?.type !== 'boolean'
    return [`--${optionName(key)}${takesValue ? ' <value>' : ''}`, describe(key)]
  })
  return `${out}\nOptions:\n${formatColumns([...rows, ['--help', 'Show this']])}`
}
