import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { json } from 'node:stream/consumers'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Type } from 'typebox'
import { runAdmin } from './admin/run-admin.ts'
import { formatResult } from './admin/format-result.ts'
import { readArguments } from './arguments.ts'
import { UsageError, type Invocable, type Terminal } from './command.ts'
import { findNearest } from './nearest.ts'
import { runCli } from './run.ts'

let folder = ''
before(() => (folder = mkdtempSync(join(tmpdir(), 'cli-'))))
after(() => rmSync(folder, { recursive: true }))

interface Said {
  code: number
  out: string
  err: string
}

async function run(
  argv: readonly string[],
  runner: (terminal: Terminal, argv: readonly string[]) => Promise<number> = runCli,
  environment = {},
): Promise<Said> {
  const said = { code: 0, out: '', err: '' }
  const terminal: Terminal = {
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    environment,
    folder,
    readLine: async () => 'from stdin',
  }
  said.code = await runner(terminal, argv)
  return said
}

describe('arguments', () => {
  const command: Invocable = {
    usage: '<userId> [displayName]',
    summary: 'x',
    input: Type.Object({
      userId: Type.String(),
      displayName: Type.Optional(Type.String()),
      dryRun: Type.Optional(Type.Boolean()),
      limit: Type.Optional(Type.Integer({ minimum: 1 })),
      tag: Type.Optional(Type.Array(Type.String())),
      kind: Type.Optional(Type.Enum(['a', 'b'])),
    }),
  }
  const refusal = (...argv: string[]): string => {
    try {
      readArguments(command, argv)
    } catch (error) {
      if (error instanceof UsageError) return error.message
    }
    return assert.fail('accepted')
  }

  it('reads words, options, lists and switches', () => {
    assert.deepEqual(
      readArguments(command, ['@a:b', '--dry-run', '--limit=5', '--tag', 'x', '--tag', 'y', 'Ann Lee']),
      {
        userId: '@a:b',
        displayName: 'Ann Lee',
        dryRun: true,
        limit: 5,
        tag: ['x', 'y'],
      },
    )
    assert.deepEqual(readArguments(command, ['--no-dry-run', '--', '--odd']), {
      dryRun: false,
      userId: '--odd',
    })
  })

  it('says what is wrong', () => {
    assert.match(refusal(), /<userId> is missing/)
    assert.match(refusal('a', 'b', 'c'), /"c" is one word too many/)
    assert.match(refusal('a', '--lmit', '3'), /no option --lmit\. Did you mean "limit"\?/)
    assert.match(refusal('a', '--limit'), /--limit needs a value/)
    assert.match(refusal('a', '--limit', 'many'), /--limit must be integer/)
    assert.match(refusal('a', '--limit', '0'), /--limit must be >= 1/)
    assert.match(refusal('a', '--limit', '1', '--limit', '2'), /given twice/)
    assert.match(refusal('a', '--kind', 'c'), /--kind must be one of a, b/)
  })
})

describe('the command line', () => {
  it('lists its commands, and tells about each', async () => {
    const overview = await run(['--help'])
    assert.equal(overview.code, 0)
    for (const name of ['serve', 'admin', 'doctor', 'config check', 'config explain'])
      assert.match(overview.out, new RegExp(`^ {2}${name} `, 'm'))
    const help = await run(['config', 'explain', '--help'])
    assert.match(help.out, /Usage: causeway config explain \[key\] \[options\]/)
    assert.match(help.out, /--config <value>/)
  })

  it('names the nearest command for a typing mistake', async () => {
    const got = await run(['sevre'])
    assert.deepEqual([got.code, got.err], [2, 'There is no command "sevre". Did you mean "serve"?\n'])
    const other = await run(['config', 'chekc'])
    assert.match(other.err, /needs one of: check, explain, reference\. Did you mean "config check"\?/)
  })

  it('checks a configuration', async () => {
    writeFileSync(join(folder, 'good.yaml'), 'server_name: example.org\n')
    writeFileSync(join(folder, 'bad.yaml'), 'server_nam: example.org\n')
    const good = await run(['config', 'check', 'good.yaml'])
    assert.deepEqual([good.code, good.err], [0, ''])
    const bad = await run(['config', 'check', '--config', 'bad.yaml'])
    assert.equal(bad.code, 2)
    assert.match(bad.err, /bad\.yaml:1: server_nam is no option\. Did you mean "server_name"\?/)
    assert.equal((await run(['config', 'check'], runCli, { CAUSEWAY_CONFIG: 'bad.yaml' })).code, 2)
  })

  it('explains an option with its value and where that was said, and shows no secret', async () => {
    writeFileSync(
      join(folder, 'c.yaml'),
      'server_name: example.org\nmedia: {max_upload_size: 5M}\ndatabase: {url: "postgres://u:hunter2@h/d"}\n',
    )
    const size = await run(['config', 'explain', 'media.max_upload_size', '--config', 'c.yaml'])
    assert.match(size.out, /value +5242880 \(from c\.yaml:2\)/)
    assert.match(size.out, /variable +CAUSEWAY_MEDIA__MAX_UPLOAD_SIZE/)
    const url = await run(['config', 'explain', 'database.url', '--config', 'c.yaml'])
    assert.match(url.out, /\[secret\] \(from c\.yaml:3\)/)
    assert.doesNotMatch(url.out, /hunter2/)
    assert.match((await run(['config', 'explain', 'database'])).out, /database\.pool_size/)
    assert.match((await run(['config', 'explain', 'databse.path'])).err, /Did you mean "database\.path"\?/)
  })
})

it('rotate-key puts a new key in front and keeps the old one', async () => {
  writeFileSync(join(folder, 'keys.yaml'), `server_name: example.org\ndata_dir: ${folder}\n`)
  const first = await run(['rotate-key', '--config', 'keys.yaml'])
  assert.equal(first.code, 0)
  const id = /a new key, (ed25519:\S+)\. Restart/.exec(first.out)?.[1]
  const [current, former, ...others] = readFileSync(join(folder, 'signing.key'), 'utf8').trim().split('\n')
  assert.ok(current!.startsWith(`${id!.replace(':', ' ')} `))
  assert.match(former!, /^old ed25519 \S+ \S{43} until-restart$/)
  assert.deepEqual(others, [])
})

describe('admin commands', () => {
  const commands = new Map<string, Invocable>([
    [
      'user-create',
      {
        usage: '<localpart>',
        summary: 'Make an account',
        input: Type.Object({
          localpart: Type.String(),
          password: Type.Optional(Type.String({ 'x-secret': true })),
          admin: Type.Optional(Type.Boolean()),
        }),
      },
    ],
    ['user-list', { usage: '', summary: 'List accounts', input: Type.Object({}) }],
  ])
  const admin = (terminal: Terminal, argv: readonly string[]): Promise<number> =>
    runAdmin(terminal, argv, async () => commands)
  const environment = (): Record<string, string> => ({ CAUSEWAY_ADMIN__SOCKET: join(folder, 'a.sock') })
  let server: Server
  let received: unknown[] = []

  before(async () => {
    server = createServer((request, response) => {
      void json(request).then((input) => {
        received.push([request.url, input])
        const refused = request.url === '/commands/user-create' && received.length > 1
        const answer = { result: [{ user: '@a:b', admin: false }] }
        response.end(JSON.stringify(refused ? { errcode: 'M_USER_IN_USE', error: 'taken' } : answer))
      })
    })
    await new Promise<void>((resolve) => server.listen(join(folder, 'a.sock'), resolve))
  })
  after(() => server.close())

  it('carries a command to the running server and shows the answer', async () => {
    received = []
    const got = await run(['user', 'create', 'ann', '--admin', '--password', '-'], admin, environment())
    assert.deepEqual(received, [
      ['/commands/user-create', { localpart: 'ann', admin: true, password: 'from stdin' }],
    ])
    assert.deepEqual([got.code, got.out], [0, 'user  admin\n@a:b  false\n'])
    const refused = await run(['user', 'create', 'ann'], admin, environment())
    assert.deepEqual([refused.code, refused.err], [1, 'taken (M_USER_IN_USE)\n'])
    const raw = await run(['user', 'list', '--json'], admin, environment())
    assert.deepEqual(JSON.parse(raw.out), [{ user: '@a:b', admin: false }])
  })

  it('helps', async () => {
    assert.match((await run(['--help'], admin)).out, /user create +Make an account/)
    assert.match(
      (await run(['user', 'create', '--help'], admin)).out,
      /Usage: causeway admin user create <localpart>/,
    )
    await assert.rejects(run(['user', 'craete', 'x'], admin), /Did you mean "user create"\?/)
  })

  it('says where it looked when no server answers', async () => {
    const got = await run(['user', 'list'], admin, { CAUSEWAY_ADMIN__SOCKET: join(folder, 'none.sock') })
    assert.equal(got.code, 1)
    assert.match(got.err, /No server answers at .*none\.sock/)
  })
})

it('shows results for people', () => {
  assert.equal(formatResult([]), 'nothing\n')
  assert.equal(formatResult(null), 'done\n')
  assert.equal(formatResult({ link: 'http://x', uses: 1 }), 'link  http://x\nuses  1\n')
})

it('finds the nearest name only when one is near', () => {
  assert.equal(findNearest('serv', ['serve', 'doctor']), 'serve')
  assert.equal(findNearest('zzzzzz', ['serve', 'doctor']), undefined)
})
