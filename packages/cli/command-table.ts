import type { AnyCliCommand } from './command.ts'

/** Every command by its name: loaded when it is called, so that `serve` starts without the others. */
export const COMMANDS: ReadonlyMap<string, () => Promise<AnyCliCommand>> = new Map<
  string,
  () => Promise<AnyCliCommand>
>([
  ['serve', async () => (await import('./commands/serve.ts')).command],
  ['after-restore', async () => (await import('./commands/after-restore.ts')).command],
  ['rotate-key', async () => (await import('./commands/rotate-key.ts')).command],
  ['doctor', async () => (await import('./commands/doctor.ts')).command],
  ['config check', async () => (await import('./commands/config-check.ts')).command],
  ['config explain', async () => (await import('./commands/config-explain.ts')).command],
  ['config reference', async () => (await import('./commands/config-reference.ts')).command],
])
