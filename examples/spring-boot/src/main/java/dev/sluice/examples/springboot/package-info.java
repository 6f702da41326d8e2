/**
 * A Spring Boot application that serves a disk to a guest, uses the same disk itself, and shows its metrics beside its own.
 *
 * <p>Reading order: {@link dev.sluice.examples.springboot.DiskConfiguration}, {@link dev.sluice.examples.springboot.DiskProperties},
 * {@link dev.sluice.examples.springboot.DiskController}.
 */
@NullMarked
package dev.sluice.examples.springboot;

import org.jspecify.annotations.NullMarked;
