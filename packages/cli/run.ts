import { createInterface } from 'node:readline/promises'
import { runAdmin } from './admin/run-admin.ts'
import { readArguments } from './arguments.ts'
import { COMMANDS } from './command-table.ts'
import { UsageError, type Terminal } from './command.ts'
import { ConfigError } from './config/problem.ts'
import { formatColumns, formatCommandHelp } from './help.ts'
import { suggestion } from './nearest.ts'

const ADMIN: readonly [string, string] = ['admin', 'Give an administrative command to the running server']

async function formatOverview(): Promise<string> {
  const rows: (readonly [string, string])[] = []
  for (const [name, load] of COMMANDS) rows.push([name, (await load()).summary])
  rows.splice(1, 0, ADMIN)
  return (
    `Causeway: a Matrix homeserver and bridge hub\n\nUsage: causeway <command> [options]\n\n${formatColumns(rows)}\n` +
    'causeway <command> --help tells more about each.\n'
  )
}

const asksForHelp = (argv: readonly string[]): boolean => {
  const own = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
  return own.includes('--help') || own.includes('-h')
}

/** The command whose name the first words are, and what follows it. */
function findCommand(argv: readonly string[]): [string, readonly string[]] | undefined {
  for (const count of [2, 1]) {
    const name = argv.slice(0, count).join(' ')
    if (argv.length >= count && COMMANDS.has(name)) return [name, argv.slice(count)]
  }
  return undefined
}

async function refuseUnknown(terminal: Terminal, argv: readonly string[]): Promise<number> {
  const names = [...COMMANDS.keys(), ADMIN[0]]
  const group = names.filter((name) => name.startsWith(`${argv[0]} `))
  if (group.length > 0) {
    const hint = suggestion(argv.slice(0, 2).join(' '), group)
    terminal.err(
      `causeway ${argv[0]} needs one of: ${group.map((name) => name.split(' ')[1]).join(', ')}.${hint}\n`,
    )
  } else terminal.err(`There is no command "${argv[0]}".${suggestion(argv[0]!, names)}\n`)
  return asksForHelp(argv) ? 0 : 2
}

async function dispatch(terminal: Terminal, argv: readonly string[]): Promise<number> {
  if (argv.length === 0 || argv[0]!.startsWith('-')) {
    const text = await formatOverview()
    if (argv.length > 0 && !asksForHelp(argv))
      throw new UsageError(`There is no option ${argv[0]}\n\n${text}`)
    terminal.out(text)
    return argv.length === 0 ? 2 : 0
  }
  if (argv[0] === 'admin') return await runAdmin(terminal, argv.slice(1))
  const found = findCommand(argv)
  if (found === undefined) return await refuseUnknown(terminal, argv)
  const [name, rest] = found
  const command = await COMMANDS.get(name)!()
  if (asksForHelp(rest)) {
    terminal.out(formatCommandHelp(name, command))
    return 0
  }
  return await command.run(terminal, readArguments(command, rest))
}

/** Runs one command line (without the program's name) and answers the exit code. */
export async function runCli(terminal: Terminal, argv: readonly string[]): Promise<number> {
  try {
    return await dispatch(terminal, argv)
  } catch (error) {
    if (error instanceof UsageError || error instanceof ConfigError) {
      terminal.err(`${error.message}\n`)
      return 2
    }
    throw error
  }
}

function processTerminal(): Terminal {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    environment: process.env,
    folder: process.cwd(),
    readLine: async () => {
      const lines = createInterface({ input: process.stdin })
      for await (const line of lines) return line
      return ''
    },
  }
}

/** Runs the command line of this process. The process ends by itself when everything is closed. */
export async function runAsProcess(): Promise<void> {
  const terminal = processTerminal()
  try {
    process.exitCode = await runCli(terminal, process.argv.slice(2))
  } catch (error) {
    terminal.err(`${error instanceof Error ? describe(error) : String(error)}\n`)
    process.exitCode = 1
  }
}

/** An error made for people has a sentence and maybe a cause; one of ours shows where it happened. */
function describe(error: Error): string {
  const cause = error.cause instanceof Error ? `\n  because: ${error.cause.message}` : ''
  const isFault = error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError
  return isFault ? (error.stack ?? error.message) : `${error.message}${cause}`
}
