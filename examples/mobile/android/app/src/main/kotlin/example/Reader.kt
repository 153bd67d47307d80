// Not built here: see ../../../../../../README.md.
package example

import android.content.res.AssetManager
import android.graphics.Bitmap
import org.json.JSONObject
import org.tensorflow.lite.Interpreter
import java.io.FileInputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel

/** What the model says about a patient of unknown age, and the scaled heat map of the target, row by row. */
class Answer(val probability: Float, val positive: Boolean, val abstains: Boolean, val inside: Boolean, val map: FloatArray)

/** Reads radiographs with model.tflite and client.json from the assets. Not safe for use from several threads. */
class Reader(assets: AssetManager) {
    private val card = JSONObject(assets.open("client.json").bufferedReader().use { it.readText() })
    private val names = card.getJSONArray("outputs").let { all -> List(all.length()) { all.getString(it) } }
    private val edge = card.getJSONObject("input").getInt("size_px")
    private val interpreter = assets.openFd(card.getString("file")).use { file ->
        FileInputStream(file.fileDescriptor).channel.use {
            Interpreter(it.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength), Interpreter.Options().setNumThreads(1))
        }
    }

    /** Reads a picture whose grey levels are as displayed: air dark, the patient's right on the left. */
    fun read(picture: Bitmap): Answer {
        val input = interpreter.getSignatureInputs(SIGNATURE).single()
        val outputs = names.indices.associate { k ->
            val tensor = interpreter.getOutputTensorFromSignature("output_$k", SIGNATURE)
            "output_$k" to ByteBuffer.allocateDirect(tensor.numBytes()).order(ByteOrder.nativeOrder())
        }
        interpreter.runSignature(mapOf<String, Any>(input to pixels(picture)), outputs.toMap<String, Any>(), SIGNATURE)
        fun values(name: String): FloatArray {
            val buffer = outputs.getValue("output_${names.indexOf(name)}").apply { rewind() }.asFloatBuffer()
            return FloatArray(buffer.remaining()).also(buffer::get)
        }
        val shown = card.getJSONObject("map")
        val maps = values(shown.getString("output"))
        val cells = maps.size / 2 // of two classes
        val from = shown.getInt("index") * cells
        // The last column is the one for a patient of unknown age.
        return Answer(
            values("probability").last(),
            values("decision").last() == 1f,
            values("abstains").last() == 1f,
            values("inside_domain").last() == 1f,
            maps.copyOfRange(from, from + cells),
        )
    }

    private fun pixels(picture: Bitmap): ByteBuffer {
        val square = Bitmap.createScaledBitmap(picture, edge, edge, true)
        val colours = IntArray(edge * edge).also { square.getPixels(it, 0, edge, 0, 0, edge, edge) }
        val buffer = ByteBuffer.allocateDirect(4 * edge * edge).order(ByteOrder.nativeOrder())
        for (colour in colours) {
            val (red, green, blue) = listOf(colour shr 16 and 255, colour shr 8 and 255, colour and 255)
            buffer.putFloat((0.299f * red + 0.587f * green + 0.114f * blue) / 255)
        }
        return buffer.apply { rewind() }
    }

    private companion object {
        const val SIGNATURE = "serving_default"
    }
}
