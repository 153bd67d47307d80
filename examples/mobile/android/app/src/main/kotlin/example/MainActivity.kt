// Not built here: see ../../../../../../README.md.
package example

import android.graphics.ImageDecoder
import android.os.Bundle
import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts

class MainActivity : ComponentActivity() {
    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val reader = Reader(assets)
        val text = TextView(this).apply { this.text = "Research software, not a medical device." }
        val pick = registerForActivityResult(ActivityResultContracts.GetContent()) { uri ->
            if (uri == null) return@registerForActivityResult
            val picture = ImageDecoder.decodeBitmap(ImageDecoder.createSource(contentResolver, uri)) { decoder, _, _ ->
                decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
            }
            val answer = reader.read(picture)
            val decision = if (answer.positive) "positive" else "negative"
            val doubt = listOfNotNull(
                "the model abstains".takeIf { answer.abstains },
                "the model may not be asked about this image".takeIf { !answer.inside },
            )
            text.text = (listOf("probability %.3f".format(answer.probability), decision) + doubt).joinToString("\n")
        }
        val button = Button(this).apply {
            this.text = "Choose a radiograph"
            setOnClickListener { pick.launch("image/*") }
        }
        setContentView(LinearLayout(this).apply {
            orientation = LinearLayout.VERTICAL
            addView(button)
            addView(text)
        })
    }
}
