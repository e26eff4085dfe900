import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { Type } from 'typebox'
import {
  checkHomeserverConfig,
  homeserverConfigSections,
  type HomeserverConfig,
} from '@causeway/homeserver/config.ts'
import { loadConfig, type LoadedConfig } from './load.ts'
import { ConfigError } from './problem.ts'

let folder = ''
before(() => (folder = mkdtempSync(join(tmpdir(), 'config-'))))
after(() => rmSync(folder, { recursive: true }))

function load(yaml: string | undefined, environment: Record<string, string> = {}, more = {}): LoadedConfig {
  if (yaml !== undefined) writeFileSync(join(folder, 'c.yaml'), yaml)
  return loadConfig({
    sections: homeserverConfigSections,
    file: yaml === undefined ? undefined : 'c.yaml',
    environment,
    folder,
    check: (values) => checkHomeserverConfig(values as HomeserverConfig),
    ...more,
  })
}

function problemsOf(yaml: string | undefined, environment: Record<string, string> = {}): string {
  try {
    load(yaml, environment)
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.message
  }
  return assert.fail('the configuration was accepted')
}

it('without a file everything has its default, with sizes as numbers and paths absolute', () => {
  const config = load(undefined).values as HomeserverConfig
  assert.equal(config.server_name, 'localhost')
  assert.deepEqual(config.listeners, [{ host: '127.0.0.1', port: 8008 }])
  assert.equal(config.media.max_upload_size, 100 * 1024 * 1024)
  assert.equal(config.database.path, join(folder, 'data', 'causeway.db'))
  assert.equal(config.database.url, undefined)
  assert.deepEqual(config.rate_limits.message, { per_second: 10, burst: 100 })
})

it('the file wins over defaults and the environment over the file; each value knows where it was said', () => {
  const yaml = 'server_name: a.example\nmedia:\n  max_upload_size: 5M\nlog: {level: debug}\n'
  const loaded = load(yaml, { CAUSEWAY_MEDIA__MAX_UPLOAD_SIZE: '7 MiB', CAUSEWAY_LISTENERS: '[{port: 1}]' })
  const config = loaded.values as HomeserverConfig
  assert.equal(config.media.max_upload_size, 7 * 1024 * 1024)
  assert.deepEqual(config.listeners, [{ port: 1 }])
  assert.equal(loaded.sourceOf(['media', 'max_upload_size']), 'CAUSEWAY_MEDIA__MAX_UPLOAD_SIZE')
  assert.equal(loaded.sourceOf(['log', 'level']), 'c.yaml:4')
  assert.equal(loaded.sourceOf(['log', 'format']), undefined)
})

it('an unknown key is an error with its line and the nearest right key', () => {
  const text = problemsOf(
    'server_name: a.example\n\nmedai:\n  path: x\ndatabase:\n  max_upload_size: 5M\n  pth: x\n',
  )
  assert.match(text, /c\.yaml:3: medai is no option\. Did you mean "media"\?/)
  assert.match(text, /c\.yaml:7: database\.pth is no option\. Did you mean "path"\?/)
  assert.match(
    text,
    /c\.yaml:6: database\.max_upload_size is no option here\. Did you mean "media\.max_upload_size"\?/,
  )
  assert.match(
    problemsOf(undefined, { CAUSEWAY_LOGG__LEVEL: 'info' }),
    /Did you mean "CAUSEWAY_LOG__LEVEL"\?/,
  )
})

it('every wrong value is named at once, with its line', () => {
  const text = problemsOf(
    'server_name: "not a name"\nlisteners:\n  - port: 99999\nregistration:\n  mode: opne\npresence:\n  enabled: maybe\n',
  )
  assert.match(text, /c\.yaml:1: server_name must be a host name/)
  assert.match(text, /c\.yaml:3: listeners\[0\]\.port must be <= 65535/)
  assert.match(text, /c\.yaml:5: registration\.mode must be one of closed, token, open/)
  assert.match(text, /c\.yaml:7: presence\.enabled must be true or false/)
  assert.match(problemsOf('server_name: a.example\nmedia: {max_upload_size: much}'), /a size such as 50M/)
  assert.match(
    problemsOf(undefined, { CAUSEWAY_LOG__LEVEL: 'loud' }),
    /CAUSEWAY_LOG__LEVEL: log\.level must be one of/,
  )
})

it('a file that is no YAML, is missing or says nothing about the server name is refused', () => {
  assert.match(problemsOf('server_name: [\n'), /c\.yaml:\d/)
  assert.match(problemsOf('a: 1\na: 2\n'), /c\.yaml:2: .*unique/)
  assert.match(problemsOf('- x\n'), /option: value/)
  assert.match(problemsOf('log: {level: info}\n'), /server_name must be set/)
  assert.throws(
    () => load(undefined, {}, { file: 'none.yaml' }),
    /none\.yaml: the configuration file does not exist/,
  )
})

it('a secret can stand in a file, from YAML and from the environment, but only once', () => {
  writeFileSync(join(folder, 'url'), 'postgres://u:p@h/d\n')
  const config = load('server_name: a.example\ndatabase:\n  url_file: url\n').values as HomeserverConfig
  assert.equal(config.database.url, 'postgres://u:p@h/d')
  assert.deepEqual(Object.keys(config.database).toSorted(), ['path', 'pool_size', 'url'])
  const other = load(undefined, { CAUSEWAY_DATABASE__URL_FILE: join(folder, 'url') })
    .values as HomeserverConfig
  assert.equal(other.database.url, 'postgres://u:p@h/d')
  const both = 'server_name: a.example\ndatabase:\n  url: postgres://x/y\n  url_file: url\n'
  assert.match(problemsOf(both), /only one may be/)
  assert.match(
    problemsOf('server_name: a.example\ndatabase: {url_file: nowhere}\n'),
    /database\.url_file cannot be read/,
  )
  assert.match(problemsOf('server_name: a.example\ndatabase: {path_file: url}\n'), /path_file is no option/)
})

it('options that do not go together are refused', () => {
  assert.match(problemsOf('server_name: a.example\nlisteners: [{host: "::"}]\n'), /either a port or a socket/)
  assert.match(
    problemsOf('server_name: a.example\nlisteners: [{port: 1, tls_cert: x}]\n'),
    /both tls_cert and tls_key/,
  )
  assert.match(problemsOf('server_name: a.example\ndatabase: {url: mysql://x}\n'), /must begin with postgres/)
  assert.match(problemsOf('server_name: a.example\nmedia: {store: s3}\n'), /media\.s3 is needed/)
  assert.match(
    problemsOf('server_name: a.example\nmedia: {store: s3, s3: {bucket: b, access_key_id: k}}\n'),
    /needs a secret_access_key/,
  )
  assert.match(problemsOf('server_name: a.example\nmedia: {move_from: disk}\n'), /another store/)
  assert.match(problemsOf('server_name: a.example\nmedia: {move_from: s3}\n'), /media\.s3 is needed/)
})

it('a bucket for media is optional; its secret can stand in a file', () => {
  writeFileSync(join(folder, 'secret'), 'hush\n')
  const s3 = '{bucket: b, access_key_id: k, secret_access_key_file: secret}'
  const config = load(`server_name: a.example\nmedia: {store: s3, s3: ${s3}}\n`).values as HomeserverConfig
  assert.deepEqual(config.media.s3, {
    region: 'us-east-1',
    bucket: 'b',
    prefix: '',
    access_key_id: 'k',
    secret_access_key: 'hush',
  })
  assert.equal((load('server_name: a.example\n').values as HomeserverConfig).media.s3, undefined)
})

it('numbers that are meant as text are text', () => {
  const config = load('server_name: a.example\ndefault_room_version: 11\n').values as HomeserverConfig
  assert.equal(config.default_room_version, '11')
})

it('sections of several packages stand side by side, with names that the operator chooses', () => {
  const server = Type.Object({ host: Type.String(), tls: Type.Boolean({ default: true }) })
  const bridges = Type.Object({
    irc: Type.Object({ servers: Type.Record(Type.String({ pattern: '^[a-z]+$' }), server, { default: {} }) }),
  })
  const sections = { ...homeserverConfigSections, bridges }
  const yaml = 'server_name: a.example\nbridges: {irc: {servers: {oftc: {host: irc.oftc.net}}}}\n'
  assert.deepEqual(load(yaml, {}, { sections }).values['bridges'], {
    irc: { servers: { oftc: { host: 'irc.oftc.net', tls: true } } },
  })
  const wrong = 'server_name: a.example\nbridges: {irc: {servers: {oftc: {hots: x}}}}\n'
  assert.throws(() => load(wrong, {}, { sections }), /oftc\.hots is no option\. Did you mean "host"\?/)
  const misnamed = 'server_name: a.example\nbridges: {irc: {servers: {"O F": {host: x}}}}\n'
  assert.throws(() => load(misnamed, {}, { sections }), /O F is no name that may be given here/)
})
