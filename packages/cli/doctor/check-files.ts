import { constants } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import path from 'node:path'
import type { HomeserverConfig } from '@causeway/homeserver/config.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { fail, ok, warn, type Finding } from './finding.ts'

const GIB = 1024 ** 3
/** The kernel's limit on the path of a unix socket, less its closing zero. */
const MAX_SOCKET_PATH = 107

async function nearestExisting(folder: string): Promise<string> {
  const info = await stat(folder).catch(() => undefined)
  const parent = path.dirname(folder)
  return info !== undefined || parent === folder ? folder : await nearestExisting(parent)
}

/** Whether the data folder can be written, and by nobody else; whether secrets in it are readable by others. */
export async function checkDataFolder(config: HomeserverConfig): Promise<Finding[]> {
  const folder = config.data_dir
  const existing = await nearestExisting(folder)
  const writable = await access(existing, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  )
  if (!writable) return [fail(`Data: ${existing} cannot be written by this user`)]
  if (existing !== folder) return [ok(`Data: ${folder} does not exist yet; the first start makes it`)]
  const findings = [ok(`Data: ${folder} can be written`)]
  const { mode } = await stat(folder)
  if ((mode & 0o007) !== 0) findings.push(warn(`Data: others can look into ${folder}; chmod 700 it`))
  const key = await stat(config.signing_key).catch(() => undefined)
  if (key !== undefined && (key.mode & 0o077) !== 0) {
    findings.push(fail(`Signing key: others can read ${config.signing_key}; chmod 600 it`))
  }
  if (Buffer.byteLength(config.admin.socket) > MAX_SOCKET_PATH) {
    findings.push(
      fail(`Admin socket: ${config.admin.socket} is longer than a socket's path may be; set admin.socket`),
    )
  }
  return findings
}

/** Whether uploads and the database will find room. */
export async function checkSpace(config: HomeserverConfig): Promise<Finding[]> {
  const folders = new Set([config.data_dir, config.media.path])
  const findings: Finding[] = []
  for (const folder of folders) {
    const info = await statfs(await nearestExisting(folder))
    const free = info.bavail * info.bsize
    const part = info.bavail / Math.max(1, info.blocks)
    const text = `Space: ${(free / GIB).toFixed(1)} GiB free for ${folder}`
    if (free < GIB / 4) findings.push(fail(text))
    else findings.push(free < 2 * GIB || part < 0.05 ? warn(text) : ok(text))
  }
  return findings
}

/** A clock that runs behind what was written yesterday makes events older than their parents. */
export async function checkClock(config: HomeserverConfig, clock: Pick<Clock, 'now'>): Promise<Finding[]> {
  const now = clock.now()
  const shown = new Date(now).toISOString()
  const written = await stat(config.data_dir).catch(() => undefined)
  if (written !== undefined && written.mtimeMs > now + 60_000) {
    return [fail(`Clock: it is ${shown} here, earlier than the last change in ${config.data_dir}`)]
  }
  if (now < Date.UTC(2026, 0, 1)) return [fail(`Clock: it is ${shown} here, before this program was written`)]
  return [ok(`Clock: ${shown}`)]
}
