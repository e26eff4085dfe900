import { readFileSync } from 'node:fs'
import { Type } from 'typebox'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { loadAllCommands } from '../bridges/load-commands.ts'
import { propertiesOf, readArguments } from '../arguments.ts'
import { UsageError, type Invocable, type Terminal } from '../command.ts'
import { formatColumns, formatCommandHelp } from '../help.ts'
import { loadSettings } from '../load-settings.ts'
import { suggestion } from '../nearest.ts'
import { AdminRefusal, callAdmin, type AdminTarget } from './call-admin.ts'
import { followJob, isJob, wasGivenUp } from './follow-job.ts'
import { formatResult } from './format-result.ts'

type Commands = ReadonlyMap<string, Invocable>

/** Options that every admin command takes; they say how to reach the server and never reach it. */
const TRANSPORT = {
  config: Type.Optional(
    Type.String({ description: 'The configuration file of the server, for its admin socket' }),
  ),
  url: Type.Optional(Type.String({ description: 'Address of the admin listener, instead of the socket' })),
  tokenFile: Type.Optional(Type.String({ description: 'File with the admin token, with --url' })),
  json: Type.Optional(Type.Boolean({ description: 'Print the answer as JSON' })),
  wait: Type.Optional(
    Type.Boolean({
      description: 'Wait for the end of work that takes long; --no-wait does not',
      default: true,
    }),
  ),
}

interface Transport {
  readonly config?: string
  readonly url?: string
  readonly tokenFile?: string
  readonly json?: boolean
  readonly wait?: boolean
}

function formatOverview(commands: Commands): string {
  const rows = [...commands].map(([name, { summary }]): [string, string] => [
    name.replaceAll('-', ' '),
    summary,
  ])
  return `Usage: causeway admin <command> [options]\n\n${formatColumns(rows)}`
}

/** The command with the longest name that the first words spell, and what follows. */
function findCommand(commands: Commands, argv: readonly string[]): [string, readonly string[]] | undefined {
  const words = argv.findIndex((word) => word.startsWith('-'))
  for (let count = words === -1 ? argv.length : words; count > 0; count -= 1) {
    const name = argv.slice(0, count).join('-')
    if (commands.has(name)) return [name, argv.slice(count)]
  }
  return undefined
}

function readTarget(terminal: Terminal, transport: Transport): AdminTarget {
  if (transport.url === undefined)
    return { socket: loadSettings(terminal, transport.config).config.admin.socket }
  if (transport.tokenFile === undefined) throw new UsageError('--url needs --token-file')
  return { url: transport.url, token: readFileSync(transport.tokenFile, 'utf8').trim() }
}

/** Secrets given as `-` are read from standard input, where no list of processes shows them. */
async function readSecrets(
  terminal: Terminal,
  command: Invocable,
  input: Record<string, unknown>,
): Promise<void> {
  for (const [name, schema] of Object.entries(propertiesOf(command))) {
    if (schema['x-secret'] === true && input[name] === '-') input[name] = await terminal.readLine()
  }
}

async function give(
  terminal: Terminal,
  name: string,
  command: Invocable,
  argv: readonly string[],
): Promise<number> {
  const all = { ...command, input: Type.Object({ ...command.input.properties, ...TRANSPORT }) }
  if (argv.includes('--help')) {
    terminal.out(formatCommandHelp(`admin ${name.replaceAll('-', ' ')}`, all))
    return 0
  }
  const { config, url, tokenFile, json, wait, ...input } = readArguments(all, argv) as Transport &
    Record<string, unknown>
  await readSecrets(terminal, command, input)
  const target = readTarget(terminal, {
    ...(config && { config }),
    ...(url && { url }),
    ...(tokenFile && { tokenFile }),
  })
  const answer = await callAdmin(target, name, input as JsonObject)
  const show = (job: string): Promise<JsonValue> => callAdmin(target, 'job-show', { job })
  const follows = wait !== false && name !== 'job-show' && isJob(answer)
  const result = follows ? await followJob(terminal, answer, show, systemClock) : answer
  terminal.out(json === true ? `${JSON.stringify(result, undefined, 2)}\n` : formatResult(result))
  return follows && wasGivenUp(result) ? 1 : 0
}

/** `causeway admin …`: reads the command's input here, has the running server carry it out, shows the answer. */
export async function runAdmin(
  terminal: Terminal,
  argv: readonly string[],
  load: () => Promise<Commands> = loadAllCommands,
): Promise<number> {
  const commands = await load()
  const found = findCommand(commands, argv)
  if (found === undefined) {
    const words = argv.filter((word) => !word.startsWith('-'))
    if (words.length > 0) {
      const names = [...commands.keys()].map((name) => name.replaceAll('-', ' '))
      throw new UsageError(
        `There is no admin command "${words.join(' ')}".${suggestion(words.join(' '), names)}`,
      )
    }
    terminal.out(formatOverview(commands))
    return argv.length === 0 ? 2 : 0
  }
  const [name, rest] = found
  try {
    return await give(terminal, name, commands.get(name)!, rest)
  } catch (error) {
    if (!(error instanceof AdminRefusal)) throw error
    terminal.err(`${error.message}\n`)
    return 1
  }
}
