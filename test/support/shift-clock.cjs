// Loaded into a process before its own code: its wall clock is wrong by SHIFT_CLOCK_MS, and jumps there and back at each SIGUSR2 if
// SHIFT_CLOCK_ON_SIGNAL is set. Monotonic time is left alone, as it is by a wrong wall clock.
const by = Number(process.env.SHIFT_CLOCK_MS);
const SystemDate = Date;
let shift = process.env.SHIFT_CLOCK_ON_SIGNAL ? 0 : by;
if (process.env.SHIFT_CLOCK_ON_SIGNAL) process.on('SIGUSR2', () => (shift = by - shift));

globalThis.Date = class ShiftedDate extends SystemDate {
  constructor(...given) {
    if (given.length === 0) super(SystemDate.now() + shift);
    else super(...given);
  }

  static now() {
    return SystemDate.now() + shift;
  }
};
