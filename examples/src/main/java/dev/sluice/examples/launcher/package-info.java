/**
 * Programs to copy from: each is one short class with a {@code main} of its own, and a subcommand of {@code sluice example}. Reading order:
 * {@link dev.sluice.examples.launcher.ServeDisk} (the parts of a served disk, assembled by hand),
 * {@link dev.sluice.examples.launcher.CustomStage} with {@link dev.sluice.examples.launcher.WriteOnce},
 * {@link dev.sluice.examples.launcher.CopyImage} (a Java program's own I/O),
 * {@link dev.sluice.examples.launcher.Prometheus} (metrics), {@link dev.sluice.examples.launcher.ManyDisks} (several disks on one loop).
 */
@NullMarked
package dev.sluice.examples.launcher;

import org.jspecify.annotations.NullMarked;
